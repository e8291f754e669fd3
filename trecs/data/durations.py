"""Lengths of time in words."""

from __future__ import annotations

from trecs.data.rows import count

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def duration(seconds: float) -> str:
    """A length of time in its largest whole unit, to one decimal place.

    Example:
        >>> duration(86400), duration(5400), duration(0)
        ('1 day', '1.5 hours', '0 seconds')
    """
    for size, name in _UNITS:
        if seconds >= size:
            number = round(seconds / size, 1)
            return count(int(number), name) if number == int(number) else f"{number:,} {name}s"
    return count(round(seconds), "second")
