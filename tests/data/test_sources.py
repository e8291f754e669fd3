"""Fetching by name: which source serves, what is written, and what is said when none does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from trecs.data import sources
from trecs.data.sources import DATA_SETS, DataSet, Source, data_set, fetch, fetch_data_set
from trecs.data.sources_download import RemoteFile
from trecs.data.sources_tables import Tables, in_form
from trecs.errors import FetchError, UsageError

# Nothing listens at the discard port.
NOWHERE = "http://127.0.0.1:9"


def tables(title: str) -> Tables:
    return Tables(
        in_form({"user_id": ["007"], "item_id": ["1"], "timestamp": [10], "rating": [4]}),
        in_form({"item_id": ["1"], "title": [title], "genres": [["War", "Drama"]]}),
    )


def source(label: str, file: str = "", parse: Callable | None = None) -> Source:
    files = (RemoteFile(f"{NOWHERE}/{file}"),) if file else ()
    return Source(label, files, parse or (lambda _paths: tables(label)))


def tiny(*tried: Source) -> DataSet:
    return DataSet("tiny", "one event", "none", tried)


def bring(wanted: DataSet, cache: Path) -> tuple[Path, list[str]]:
    said: list[str] = []
    return fetch_data_set(wanted, cache, False, said.append), said


def title_of(folder: Path) -> str:
    return pq.read_table(folder / "items.parquet")["title"][0].as_py()


def test_first_source_that_delivers_serves(tmp_path):
    folder, said = bring(tiny(source("lost", "a.zip"), source("second"), source("third")), tmp_path)
    assert title_of(folder) == "second"
    assert said == ["tiny from second: 1 events, 1 items. Terms: none."]
    assert sorted(path.name for path in folder.iterdir()) == [
        "events.parquet",
        "items.parquet",
        "source.json",
    ]


def test_prepared_tables_have_strings_seconds_and_lists(tmp_path):
    folder, _ = bring(tiny(source("one")), tmp_path)
    events = pq.read_table(folder / "events.parquet")
    assert [str(kind) for kind in events.schema.types] == ["string", "string", "int64", "float"]
    assert events.to_pylist() == [{"user_id": "007", "item_id": "1", "timestamp": 10, "rating": 4}]
    items = pq.read_table(folder / "items.parquet").to_pylist()
    assert items == [{"item_id": "1", "title": "one", "genres": ["War", "Drama"]}]


def test_prepared_data_set_is_not_fetched_again(tmp_path):
    folder, _ = bring(tiny(source("one")), tmp_path)
    assert bring(tiny(source("lost", "a.zip")), tmp_path) == (folder, [])


def test_all_sources_failing_is_one_error_that_says_what_each_said(tmp_path):
    wanted = tiny(source("first", "a.zip"), source("second", "b.zip"))
    with pytest.raises(FetchError, match="tiny cannot be fetched") as caught:
        bring(wanted, tmp_path)
    lines = str(caught.value).splitlines()
    assert lines[1].startswith(f"  1. first: {NOWHERE}/a.zip: the server cannot be reached")
    assert lines[2].startswith(f"  2. second: {NOWHERE}/b.zip: the server cannot be reached")
    assert lines[3].endswith(f"put them into {tmp_path / 'downloads' / 'tiny'}.")


def test_file_put_into_the_cache_by_hand_serves_its_source(tmp_path):
    (tmp_path / "downloads/tiny").mkdir(parents=True)
    (tmp_path / "downloads/tiny/a.zip").write_bytes(b"by hand")
    read = source("one", "a.zip", lambda paths: tables(paths[0].read_text()))
    folder, said = bring(tiny(read), tmp_path)
    assert title_of(folder) == "by hand"
    assert "a.zip: its publisher gives no digest" in said[0]


@pytest.mark.parametrize("error", [KeyError("u.data"), ValueError("bad number")])
def test_file_of_another_form_is_a_fetch_error_and_leaves_nothing(tmp_path, error):
    def parse(_paths):
        raise error

    with pytest.raises(FetchError, match="not of the form that tiny had"):
        bring(tiny(source("one", "", parse)), tmp_path)
    assert not (tmp_path / "prepared/1/tiny").exists()


def test_record_says_where_the_data_came_from(tmp_path):
    (tmp_path / "downloads/tiny").mkdir(parents=True)
    (tmp_path / "downloads/tiny/a.zip").write_bytes(b"")
    folder, _ = bring(tiny(source("one", "a.zip")), tmp_path)
    record = json.loads((folder / "source.json").read_text())
    assert record["source"] == "one"
    assert record["files"] == [{"url": f"{NOWHERE}/a.zip", "digest": None}]
    assert record["num_events"] == 1


def test_cache_variable_chooses_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TRECS_CACHE", str(tmp_path / "elsewhere"))
    monkeypatch.setitem(sources.DATA_SETS, "tiny", tiny(source("one")))
    assert fetch("tiny", progress=False) == tmp_path / "elsewhere/prepared/1/tiny"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("movielens-100K", "called 'movielens-100K'. Did you mean movielens-100k\\? Known: movie"),
        ("netflix", "no data set called 'netflix'. Known: movielens-100k, "),
        ("amazon-reviews-2023", "needs a category, as in amazon-reviews-2023/All_Beauty, and ''"),
        ("amazon-reviews-2023/Cars", "and 'Cars' is none. Categories: All_Beauty, "),
    ],
)
def test_unknown_name_lists_the_known_ones(name, message):
    with pytest.raises(UsageError, match=message):
        data_set(name)


def test_amazon_category_is_found_without_regard_to_case():
    found = data_set("amazon-reviews-2023/all_beauty")
    assert found.name == "amazon-reviews-2023/All_Beauty"
    assert [file.name for file in found.sources[0].files] == [
        "All_Beauty.jsonl.gz",
        "meta_All_Beauty.jsonl.gz",
    ]


def test_every_archive_of_movielens_is_pinned():
    for name in ("movielens-100k", "movielens-1m", "movielens-20m", "movielens-32m"):
        archive = DATA_SETS[name].sources[0].files[0]
        algorithm, _, hexadecimal = archive.digest.partition(":")
        assert len(hexadecimal) == {"sha256": 64, "md5": 32}[algorithm]


@pytest.mark.slow
def test_movielens_100k_comes_whole(tmp_path):
    folder = fetch("movielens-100k", tmp_path, progress=False)
    events = pq.read_table(folder / "events.parquet")
    items = pq.read_table(folder / "items.parquet")
    assert events.num_rows == 100_000
    assert len(set(events["user_id"].to_pylist())) == 943
    assert items.num_rows == 1_682
    assert items.slice(1411, 1).to_pylist() == [
        {
            "item_id": "1412",
            "title": "Land Before Time III: The Time of the Great Giving",
            "release_year": 1995,
            "genres": ["Animation", "Children's"],
        }
    ]


@pytest.mark.slow
def test_complete_journey_comes_whole(tmp_path):
    folder = fetch("complete-journey", tmp_path, progress=False)
    events = pq.read_table(folder / "events.parquet")
    assert events.num_rows == 1_469_307
    assert events.slice(0, 1).to_pylist() == [
        # 2017-01-01 11:53:26
        {"user_id": "900", "item_id": "1095275", "timestamp": 1_483_271_606}
    ]
    assert pq.read_table(folder / "items.parquet").num_rows == 92_331
