"""Which texts a BERT may read before it is measured."""

import numpy as np
import pandas as pd
import pytest

from trecs.data.catalogue import catalogue_from_frame
from trecs.data.dataset import align
from trecs.data.log import log_from_frame
from trecs.errors import DataError
from trecs.text.corpus import data_corpora, text_file_corpus

ITEMS = [f"i{n}" for n in range(20)]


def make_dataset(future_item="i0", future_title="film 19"):
    """60 events of 6 users; the last 10 events and the item i19, which only they have, are late."""
    rows = [(f"u{n % 6}", ITEMS[n % 19], 1_600_000_000 + n) for n in range(50)]
    rows += [(f"u{n % 6}", "i19" if n % 2 else future_item, 1_600_000_100 + n) for n in range(10)]
    items = pd.DataFrame({"item_id": ITEMS, "title": [f"film {n}" for n in range(20)]})
    items.loc[19, "title"] = future_title
    log, _ = log_from_frame(pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]))
    return align(log, catalogue_from_frame(items)[0])


def corpora(dataset):
    return data_corpora("shop", dataset, np.arange(50), 0.2)


def test_items_and_histories_are_cut_by_text_and_by_user():
    items, histories = corpora(make_dataset())
    assert (items.name, histories.name) == ("shop items", "shop histories")
    assert (len(items.train), len(items.held_out)) == (15, 4)
    assert (len(histories.train), len(histories.held_out)) == (5, 1)
    assert not set(items.train) & set(items.held_out)
    assert histories.repeats_items
    assert not items.repeats_items


def test_a_history_is_its_titles_in_time_order():
    _, histories = corpora(make_dataset())
    whole = {". ".join(f"film {n % 19}" for n in range(user, 50, 6)) for user in range(6)}
    assert set(histories.held_out) <= whole


def test_training_histories_hold_no_held_out_item():
    items, histories = corpora(make_dataset())
    titles = {title for text in histories.train for title in text.split(". ")}
    assert titles <= set(items.train)
    assert set(items.train) - titles == set()


def test_what_comes_after_the_training_window_changes_nothing():
    before = corpora(make_dataset())
    after = corpora(make_dataset(future_item="i7", future_title="another title"))
    for ours, theirs in zip(before, after, strict=True):
        np.testing.assert_array_equal(ours.train, theirs.train)
        np.testing.assert_array_equal(ours.held_out, theirs.held_out)


def test_an_item_of_the_future_is_not_read():
    texts = [
        text for c in corpora(make_dataset()) for part in (c.train, c.held_out) for text in part
    ]
    assert not any("film 19" in text for text in texts)


def test_items_without_text_are_an_error_that_names_the_setting():
    dataset = make_dataset()
    dataset.catalogue.texts[:] = ""
    with pytest.raises(DataError, match=r"shop items has 0: name the text columns"):
        corpora(dataset)


def test_a_text_file_gives_its_distinct_lines_in_any_script(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("红楼梦\n\nألف ليلة\n红楼梦\n  Toy 🎬 \n", encoding="utf-8")
    corpus = text_file_corpus(path, 0.01)
    assert sorted([*corpus.train, *corpus.held_out]) == sorted(["红楼梦", "ألف ليلة", "Toy 🎬"])
    assert len(corpus.held_out) == 1


def test_a_text_file_in_another_encoding_is_an_error_that_says_how_to_convert_it(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes("naïve\ncafé\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"must be text in UTF-8, .*iconv -f latin1"):
        text_file_corpus(path, 0.1)
