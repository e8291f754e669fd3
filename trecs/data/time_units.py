"""The unit of numeric times: s, ms, us or ns, told by their size where nobody says it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trecs.data.rows import first_rows, share
from trecs.errors import Problems

UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""Ticks in one second, by unit."""

DAY_S = 86_400

FIRST_S, LAST_S = -2_208_988_800, 32_503_680_000
"""The years 1900 to 3000: milliseconds of our days lie far outside."""

# Times that tell a unit lie between 1971 and tomorrow. Read in any other unit, such a number falls
# before 1971 or centuries ahead, so the four ranges do not overlap.
_PLAUSIBLE_FROM_S = 365 * DAY_S


def tell_unit(
    numbers: NDArray[Any], usable: NDArray[np.bool_], name: str, now_s: int, problems: Problems
) -> str | None:
    """The one unit in which numbers of the column are plausible times, or None with a problem.

    Args:
        numbers: int64 or float64 [rows].
        usable: bool [rows], at least one True: which numbers count.
        name: of the column, for the problems.
        now_s: the present, UTC epoch seconds.
        problems: collects several units, no unit, and times before 1971 among plausible ones.
    """
    plausible = {
        unit: usable & (numbers >= _PLAUSIBLE_FROM_S * ticks) & (numbers <= (now_s + DAY_S) * ticks)
        for unit, ticks in UNITS.items()
    }
    told = [unit for unit, mask in plausible.items() if mask.any()]
    if len(told) > 1:
        parts = [
            f"{int(plausible[unit].sum()):,} look like {unit} "
            f"({first_rows(plausible[unit], numbers)})"
            for unit in told
        ]
        problems.add(
            f"the times in '{name}' mix units: {', '.join(parts)}; convert them to one unit."
        )
        return None
    if not told:
        low, high = numbers[usable].min(), numbers[usable].max()
        problems.add(
            f"the unit of the times in '{name}' cannot be told: they run from {low} to {high}, "
            f"which lies between 1971 and now in none of {', '.join(UNITS)}; "
            "set timestamp_unit (--timestamp-unit), or write ISO 8601."
        )
        return None
    if told == ["ms"] and _are_minutes(numbers[usable]):
        problems.add(
            f"the times in '{name}' look like YYYYMMDDhhmm ({first_rows(usable, numbers)}); write "
            "ISO 8601, or set timestamp_unit (--timestamp-unit) if they are ms of 1976."
        )
        return None
    early = usable & (numbers >= 0) & (numbers < _PLAUSIBLE_FROM_S * UNITS[told[0]])
    if early.any():
        problems.add(
            f"{share(early)} times in '{name}' are before 1971 if they are {told[0]} like the "
            f"others ({first_rows(early, numbers)}); remove these rows, or set timestamp_unit "
            "(--timestamp-unit) if they are right."
        )
    return told[0]


def _are_minutes(numbers: NDArray[Any]) -> bool:
    """Whether all numbers read as YYYYMMDDhhmm, which as ms would be of some weeks of 1976."""
    whole = np.asarray(numbers).astype(np.int64)
    year, month, day = whole // 10**8, whole // 10**6 % 100, whole // 10**4 % 100
    dates = (year >= 1970) & (year < 2100) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    return bool((dates & (whole // 100 % 100 < 24) & (whole % 100 < 60)).all())
