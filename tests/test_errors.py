"""Problems are collected and raised together."""

from __future__ import annotations

import pytest

from trecs.errors import ConfigError, DataError, FetchError, Problems, TrecsError, UsageError


def test_no_problem_raises_nothing() -> None:
    Problems().raise_if_any(DataError, "never seen")


def test_all_problems_are_listed_in_order() -> None:
    problems = Problems()
    problems.add("first.")
    problems.add("second.")
    assert len(problems) == 2
    with pytest.raises(ConfigError, match=r"^the file:\n  1\. first\.\n  2\. second\.$"):
        problems.raise_if_any(ConfigError, "the file")


@pytest.mark.parametrize("kind", [ConfigError, DataError, FetchError, UsageError])
def test_every_error_can_be_caught_as_one_kind(kind: type[TrecsError]) -> None:
    with pytest.raises(TrecsError, match="said"):
        raise kind("said")
