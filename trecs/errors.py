"""The errors a user of trecs can mend, and a collector that reports many of them at once."""

from __future__ import annotations


class TrecsError(Exception):
    """Anything the user can mend: the message says what was expected, what came, the way out.

    The command line prints the message as one paragraph and ends with exit code 1.
    """


class DataError(TrecsError, ValueError):
    """A file or frame that cannot be used as it is."""


class NoEventsError(DataError):
    """An event log whose columns are there and which has no row."""


class ConfigError(TrecsError, ValueError):
    """A setting that is unknown, of the wrong type or out of its range."""


class FetchError(TrecsError, OSError):
    """A data set that no source delivered intact."""


class UsageError(TrecsError, ValueError):
    """A command or call that cannot be understood; the command line's exit code is 2."""


class Problems:
    """Collects problems, so that the user mends a file or a config in one round.

    Example:
        >>> problems = Problems()
        >>> problems.add("no column holds the user.")
        >>> problems.raise_if_any(DataError, "events.csv cannot be used")
        Traceback (most recent call last):
        ...
        trecs.errors.DataError: events.csv cannot be used:
          1. no column holds the user.
    """

    def __init__(self) -> None:
        """Starts without a problem."""
        self._messages: list[str] = []

    def __len__(self) -> int:
        """The number of problems so far."""
        return len(self._messages)

    def add(self, message: str) -> None:
        """Notes one problem: a sentence with the value that came and the way out."""
        self._messages.append(message)

    def raise_if_any(self, error_type: type[TrecsError], heading: str) -> None:
        """Raises one error that lists every problem under the heading, numbered from 1.

        Args:
            error_type: the class of the error to raise.
            heading: what cannot be used, without a final colon.

        Raises:
            TrecsError: of `error_type`, if a problem was added.
        """
        if self._messages:
            lines = [f"  {number}. {text}" for number, text in enumerate(self._messages, start=1)]
            raise error_type("\n".join([f"{heading}:", *lines]))
