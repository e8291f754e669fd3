"""Newer files beside what is known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from trecs.data.catalogue import Catalogue, catalogue_from_frame
from trecs.data.joining import join_catalogues, join_logs, same_catalogues
from trecs.data.log import EventLog, events_frame, log_from_frame


def _log(*rows: tuple[str, str, int]) -> EventLog:
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    return log_from_frame(frame, timestamp_unit="s")[0]


def _rows(log: EventLog) -> list[tuple[str, str, int]]:
    return list(events_frame(log).itertuples(index=False, name=None))


def test_an_event_of_both_logs_stands_once_and_known_ones_stand_first_in_a_second():
    known = _log(("u", "a", 10), ("u", "b", 20))
    newer = _log(("u", "c", 20), ("u", "b", 20), ("v", "a", 10), ("u", "b", 30))

    joined = join_logs(known, newer)

    assert _rows(joined) == [
        ("u", "a", 10),
        ("v", "a", 10),
        ("u", "b", 20),
        ("u", "c", 20),
        ("u", "b", 30),
    ]
    assert joined.item_ids.tolist() == ["a", "b", "c"]


def test_an_event_keeps_its_rating_whatever_the_other_log_has():
    frame = pd.DataFrame({"user_id": ["u"], "item_id": ["a"], "timestamp": [10], "rating": [4.0]})
    rated, _ = log_from_frame(frame, timestamp_unit="s")
    newer, _ = log_from_frame(frame.assign(item_id="b", rating=2.0), timestamp_unit="s")

    np.testing.assert_array_equal(join_logs(rated, newer).rating, [4.0, 2.0])
    np.testing.assert_array_equal(join_logs(rated, _log(("u", "b", 10))).rating, [4.0, np.nan])
    np.testing.assert_array_equal(join_logs(_log(("u", "b", 10)), rated).rating, [np.nan, 4.0])
    # One that comes later than its event is taken, and does not take a former one's place.
    unrated = _log(("u", "a", 10), ("u", "b", 10))
    np.testing.assert_array_equal(join_logs(unrated, rated).rating, [4.0, np.nan])
    other, _ = log_from_frame(frame.assign(rating=1.0), timestamp_unit="s")
    np.testing.assert_array_equal(join_logs(join_logs(unrated, rated), other).rating, [4, np.nan])


def test_ids_without_an_event_are_not_carried_along():
    known = _log(("u", "a", 10), ("v", "b", 20))
    assert _rows(join_logs(known, known.select(slice(0, 0)))) == _rows(known)
    assert join_logs(known.select(slice(0, 1)), known.select(slice(0, 1))).user_ids.tolist() == [
        "u"
    ]


def _catalogue(**columns: list[object]) -> Catalogue:
    return catalogue_from_frame(pd.DataFrame(columns))[0]


def test_newer_rows_hold_and_items_without_one_keep_theirs():
    known = _catalogue(item_id=["a", "b"], title=["old a", "old b"], genres=["x|y", "z"])
    newer = _catalogue(item_id=["c", "a"], title=["new c", "new a"], genres=["x", ""])

    joined = join_catalogues(known, newer)

    assert joined.item_ids.tolist() == ["c", "a", "b"]
    assert joined.titles.tolist() == ["new c", "new a", "old b"]
    assert joined.texts.tolist() == ["new c", "new a", "old b"]
    assert joined.categories == {"genres": (("x",), (), ("z",))}
    assert joined.release_time_s is None


def test_what_one_catalogue_alone_has_is_unknown_for_the_others_items():
    known = _catalogue(item_id=["a", "b"], genres=["x", "z"], release_year=[1970, 1971])
    newer = _catalogue(item_id=["a", "c"], brand=["m", "n"])

    joined = join_catalogues(known, newer)

    assert joined.categories == {"brand": (("m",), ("n",), ()), "genres": ((), (), ("z",))}
    np.testing.assert_array_equal(joined.release_time_s, [np.nan, np.nan, 365 * 86_400])


def test_catalogues_are_the_same_where_all_that_is_known_of_the_items_is():
    columns = {"item_id": ["a", "b"], "title": ["A", "B"], "genres": ["x|y", ""]}
    released = columns | {"release_year": [2001, None]}

    assert same_catalogues(_catalogue(**released), _catalogue(**released))
    changes = (
        columns,
        released | {"title": ["A", "C"]},
        released | {"genres": ["x", ""]},
        released | {"release_year": [2002, None]},
        {name: values[::-1] for name, values in released.items()},
        {name: values[:1] for name, values in released.items()},
    )
    for other in changes:
        assert not same_catalogues(_catalogue(**released), _catalogue(**other)), other
