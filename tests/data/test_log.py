"""An event log is sorted, coded in order of time, and says what it took and dropped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from trecs.data.log import EventLog, events_frame, log_from_frame, read_log
from trecs.data.store import open_log, write_log
from trecs.errors import DataError

T = 893_286_600


def frame(**columns: object) -> pd.DataFrame:
    return pd.DataFrame(columns)


def triples(log: EventLog) -> list[tuple[str, str, int]]:
    users, items = log.user_ids[log.user], log.item_ids[log.item]
    return list(zip(users, items, log.timestamp_s.tolist(), strict=True))


@pytest.mark.parametrize(
    "name", ["e.csv", "e.tsv", "e.jsonl", "e.parquet", "e.csv.gz", "e.jsonl.gz"]
)
def test_leading_zeros_survive_in_every_format(name: str, tmp_path: Path) -> None:
    events = frame(user_id=["007", "7"], item_id=["01", "1"], timestamp=[T, T + 1])
    path = tmp_path / name
    if "parquet" in name:
        events.to_parquet(path)
    elif "jsonl" in name:
        events.to_json(path, orient="records", lines=True)
    else:
        events.to_csv(path, index=False, sep="\t" if "tsv" in name else ",")
    log, _ = read_log(path)
    assert triples(log) == [("007", "01", T), ("7", "1", T + 1)]


@pytest.mark.parametrize(
    "ids",
    [
        pd.Series([12, 7], dtype="int64"),
        pd.Series([12, 7], dtype="uint8"),
        pd.Series([12, 7], dtype="Int64"),
        pd.Series([12.0, 7.0]),
        pd.Series(["12", "7"], dtype="category"),
        pd.Series(["12", "7"], dtype=object),
        pd.Series([12, 7], dtype="category"),
    ],
    ids=lambda ids: str(ids.dtype),
)
def test_whole_number_ids_become_their_digits(ids: pd.Series) -> None:
    log, _ = log_from_frame(frame(user_id=ids, item_id=["a", "b"], timestamp=[T, T]))
    assert log.user_ids.tolist() == ["12", "7"]
    assert log.user_ids.dtype == object
    assert type(log.user_ids[0]) is str


def test_events_are_sorted_by_time_and_keep_their_order_inside_a_second() -> None:
    events = frame(
        user_id=["d", "b", "c", "a"], item_id=["4", "2", "3", "1"], timestamp=[T + 9, T, T, T - 9]
    )
    log, _ = log_from_frame(events)
    assert triples(log) == [("a", "1", T - 9), ("b", "2", T), ("c", "3", T), ("d", "4", T + 9)]


def test_codes_follow_the_first_appearance_in_time() -> None:
    events = frame(user_id=["z", "a", "z"], item_id=["i", "j", "j"], timestamp=[T + 2, T, T + 1])
    log, _ = log_from_frame(events)
    assert log.user_ids.tolist() == ["a", "z"]
    assert log.user.tolist() == [0, 1, 1]
    assert log.item_ids.tolist() == ["j", "i"]
    assert log.item.tolist() == [0, 0, 1]


def test_codes_of_a_prefix_do_not_depend_on_later_events() -> None:
    random = np.random.default_rng(0)
    events = frame(
        user_id=random.integers(0, 9, 60).astype(str),
        item_id=random.integers(0, 9, 60).astype(str),
        timestamp=T + random.integers(0, 40, 60),
    )
    whole, _ = log_from_frame(events)
    prefix, _ = log_from_frame(events[events["timestamp"] < T + 20])
    count = prefix.num_events
    np.testing.assert_array_equal(whole.user[:count], prefix.user)
    np.testing.assert_array_equal(whole.item[:count], prefix.item)
    assert whole.user_ids[: prefix.num_users].tolist() == prefix.user_ids.tolist()


def test_types_are_compact() -> None:
    log, _ = log_from_frame(frame(user_id=["a"], item_id=["b"], timestamp=[T], rating=["4.5"]))
    assert (log.user.dtype, log.item.dtype) == (np.int32, np.int32)
    assert log.timestamp_s.dtype == np.int64
    assert log.rating is not None
    assert log.rating.dtype == np.float32
    assert log.rating.tolist() == [4.5]


def test_duplicates_are_dropped_aloud_and_the_first_is_kept() -> None:
    events = frame(
        user_id=["a", "b", "a", "a"],
        item_id=["i", "i", "i", "i"],
        timestamp=[T, T, T, T + 1],
        rating=[1, 2, 3, 4],
    )
    log, lines = log_from_frame(events)
    assert log.rating is not None
    assert log.rating.tolist() == [1, 2, 4]
    assert "1 duplicate row dropped: same user, item and second as an earlier row" in lines


def test_the_report_says_what_was_taken() -> None:
    events = frame(uid=["a"], movieId=["i"], date=["1998-04-01"])
    _, lines = log_from_frame(events)
    assert lines == [
        "1 event of 1 user and 1 item, 1998-04-01T00:00:00Z to 1998-04-01T00:00:00Z",
        "columns: user_id from 'uid', item_id from 'movieId', timestamp from 'date', no rating; "
        "times: ISO 8601, 1 of them without a zone, taken as UTC",
    ]


def test_named_columns_and_no_rating_are_obeyed() -> None:
    events = frame(user_id=["a"], seen=["i"], item_id=["x"], timestamp=[5], rating=["bad"])
    log, _ = log_from_frame(events, item_column="seen", rating_column="none", timestamp_unit="s")
    assert triples(log) == [("a", "i", 5)]
    assert log.rating is None


def test_the_input_frame_stays_as_it_is() -> None:
    events = frame(user_id=["b", "a"], item_id=["i", "j"], timestamp=[T + 1, T], rating=[1.0, 2.0])
    events.index = pd.Index([7, 7])
    before = events.copy(deep=True)
    log, _ = log_from_frame(events)
    log.timestamp_s[:] = 0
    if log.rating is not None:
        log.rating[:] = 0
    pd.testing.assert_frame_equal(events, before)


def test_a_frame_with_a_column_twice_is_refused() -> None:
    events = pd.DataFrame([["a", "b", "i", T]], columns=["user_id", "user_id", "item_id", "time"])
    with pytest.raises(DataError, match="the frame names the column 'user_id' twice"):
        log_from_frame(events)


def test_ids_of_several_types_are_refused() -> None:
    events = frame(user_id=["a", 1], item_id=["i", "j"], timestamp=[T, T])
    with pytest.raises(DataError, match=r"ids in 'user_id' are of several types \(int, str\)"):
        log_from_frame(events)


def test_round_trip_is_exact(tmp_path: Path) -> None:
    events = frame(
        user_id=["007", "é", "007", "7"],
        item_id=["i,1", 'q"', "x", "x"],
        timestamp=[T + 1, T, T, 3],
        rating=[0.1, 2.5, 3.0, -1.0],
    )
    log, _ = log_from_frame(events, timestamp_unit="s")
    write_log(log, tmp_path / "log.parquet")
    back = open_log(tmp_path / "log.parquet")
    for name in ("user", "item", "timestamp_s", "rating", "user_ids", "item_ids"):
        expected, found = getattr(log, name), getattr(back, name)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


def test_ratings_may_be_missing(tmp_path: Path) -> None:
    events = frame(
        user_id=["a"] * 4,
        item_id=["i", "j", "k", "j"],
        timestamp=[T, T, T, T],
        rating=["", "4", "NaN", "2"],
    )
    log, lines = log_from_frame(events, timestamp_unit="s")
    np.testing.assert_array_equal(log.rating, np.array([np.nan, 4, np.nan], np.float32))
    assert any("2 of 3 events without a rating" in line for line in lines)
    known, rating = log.rated(np.array([0, 1]))
    assert (known.tolist(), rating.tolist()) == ([1], [4.0])
    write_log(log, tmp_path / "log.parquet")
    np.testing.assert_array_equal(open_log(tmp_path / "log.parquet").rating, log.rating)


def test_where_no_event_has_a_rating_the_log_has_none() -> None:
    events = frame(user_id=["a"], item_id=["i"], timestamp=[T], rating=[np.nan])
    log, lines = log_from_frame(events, timestamp_unit="s")
    assert log.rating is None
    assert any("no rating" in line for line in lines)
    assert len(log.rated(np.array([0]))[0]) == 0


def test_of_duplicate_events_the_first_rating_stays() -> None:
    events = frame(
        user_id=["a"] * 4, item_id=["i"] * 3 + ["j"], timestamp=[T] * 4, rating=[np.nan, 3, 5, 1]
    )
    np.testing.assert_array_equal(log_from_frame(events, timestamp_unit="s")[0].rating, [3, 1])


def test_round_trip_without_ratings(tmp_path: Path) -> None:
    log, _ = log_from_frame(frame(user_id=["a"], item_id=["b"], timestamp=[T]))
    write_log(log, tmp_path / "log.parquet")
    assert open_log(tmp_path / "log.parquet").rating is None


def test_the_frame_of_a_log_holds_ids_and_seconds() -> None:
    log, _ = log_from_frame(frame(user_id=["007"], item_id=["1"], timestamp=[T * 1000]))
    assert events_frame(log).to_dict("list") == {
        "user_id": ["007"],
        "item_id": ["1"],
        "timestamp": [T],
    }


def test_select_keeps_ids_and_codes() -> None:
    events = frame(user_id=["a", "b", "c"], item_id=["i", "j", "i"], timestamp=[T, T + 1, T + 2])
    log, _ = log_from_frame(events)
    for which in (np.array([False, True, True]), np.array([1, 2]), slice(1, None)):
        part = log.select(which)
        assert triples(part) == [("b", "j", T + 1), ("c", "i", T + 2)]
        assert part.user_ids is log.user_ids
        assert part.item_ids is log.item_ids


def test_select_refuses_an_index_against_time() -> None:
    log, _ = log_from_frame(frame(user_id=["a", "b"], item_id=["i", "j"], timestamp=[T, T + 5]))
    with pytest.raises(DataError, match=r"must ascend in time, but event 1 is 5 s before event 0"):
        log.select(np.array([1, 0]))


def test_columns_of_different_lengths_are_refused() -> None:
    one, two = np.zeros(1, np.int32), np.zeros(2, np.int32)
    ids = np.array(["a"], dtype=object)
    with pytest.raises(DataError, match=r"must have one length, but have \[1, 2, 1\]"):
        EventLog(one, two, one.astype(np.int64), None, ids, ids)


def test_a_log_shows_itself_in_one_line() -> None:
    log, _ = log_from_frame(frame(user_id=["a"], item_id=["i"], timestamp=[T]))
    assert repr(log).startswith("EventLog(1 event of 1 user and 1 item, 1998-04-22T")
    assert log.select(slice(0, 0)).summary() == "0 events of 1 user and 1 item"


def test_blanks_around_ids_and_views_of_strings_change_no_id(tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    ids = pa.array(["a ", " a", "a", "b"], pa.string_view())
    times = pa.array([T, T + 1, T + 2, T + 3])
    pa.parquet.write_table(pa.table({"user_id": ids, "item_id": ids, "timestamp": times}), path)
    log, _ = read_log(path)
    assert triples(log) == [("a", "a", T), ("a", "a", T + 1), ("a", "a", T + 2), ("b", "b", T + 3)]
