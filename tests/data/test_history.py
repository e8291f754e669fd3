"""One user's events from a file."""

import numpy as np
import pandas as pd
import pytest

from trecs.data.history import parse_moment, read_history
from trecs.errors import DataError, UsageError

EVENTS = pd.DataFrame({"movieId": [7, 9], "timestamp": [1_600_000_000, 1_600_000_100]})


def written(frame, tmp_path):
    path = tmp_path / "history.csv"
    frame.to_csv(path, index=False)
    return path


def test_ratings_are_read_where_there_are_some(tmp_path):
    found = read_history(written(EVENTS.assign(stars=[4.5, None]), tmp_path), rated=True)
    assert found["item_id"].tolist() == ["7", "9"]
    assert found["timestamp"].tolist() == [1_600_000_000, 1_600_000_100]
    np.testing.assert_array_equal(found["rating"], [4.5, np.nan])


def test_a_history_needs_none(tmp_path):
    found = read_history(written(EVENTS, tmp_path), rated=True)
    assert list(found) == ["item_id", "timestamp"]


def test_without_being_asked_for_no_column_of_ratings_is_looked_at(tmp_path):
    frame = EVENTS.assign(stars="good", score="bad")
    assert list(read_history(written(frame, tmp_path))) == ["item_id", "timestamp"]


def test_a_rating_that_is_no_number_is_told(tmp_path):
    with pytest.raises(
        DataError, match=r"1 of 2 ratings in .rating. are not numbers .*leave the column out"
    ):
        read_history(written(EVENTS.assign(rating=["good", "5"]), tmp_path), rated=True)


def test_no_time_is_told(tmp_path):
    with pytest.raises(DataError, match="columns of the history cannot be told"):
        read_history(written(EVENTS.rename(columns={"timestamp": "other"}), tmp_path))


@pytest.mark.parametrize("text", ["20240501", "2024"])
def test_a_date_without_signs_is_no_moment_of_1970(text):
    with pytest.raises(UsageError, match="a time must be ISO 8601, such as .* or epoch seconds"):
        parse_moment(text)
    assert parse_moment("2024-05-01") == 1_714_521_600
