"""MIND, the Microsoft News Dataset: clicks on news."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc

from trecs.columns import ITEM_ID, TIMESTAMP, USER_ID
from trecs.data.sources_tables import Tables, in_form, read_delimited

_BEHAVIOUR_NAMES = ("impression_id", USER_ID, "time", "history", "impressions")
_NEWS_NAMES = ("news_id", "category", "subcategory", "title", "abstract", "url", "te", "ae")
_TIME_FORMAT = "%m/%d/%Y %I:%M:%S %p"
_CLICKED = "-1"


def mind(files: Sequence[Path]) -> Tables:
    """Reads MIND archives (train, then dev): behaviors.tsv and news.tsv of each.

    An event is a click, at the time of the impression that showed the item; times have no zone and
    are taken as UTC. The click history that comes with an impression has no times and is left out.
    Abstracts become `description`. An item that several archives list is taken from the first.
    """
    events, news = [], []
    for path in files:
        with zipfile.ZipFile(path) as archive:
            names = {name.rsplit("/", 1)[-1]: name for name in archive.namelist()}
            with archive.open(names["behaviors.tsv"]) as file:
                behaviours = _read(file, _BEHAVIOUR_NAMES, (USER_ID, "time", "impressions"))
            events.append(_clicks(behaviours))
            with archive.open(names["news.tsv"]) as file:
                news.append(_read(file, _NEWS_NAMES, _NEWS_NAMES[:5]))
    return Tables(pa.concat_tables(events), _items(pa.concat_tables(news)))


def _read(file: IO[bytes], names: Sequence[str], wanted: Sequence[str]) -> pa.Table:
    """The wanted columns of a tab-separated file without header, as strings."""
    return read_delimited(file, "\t", dict.fromkeys(wanted, pa.string()), names=names)


def _clicks(behaviours: pa.Table) -> pa.Table:
    """One row for each clicked item: "N1-1 N2-0" says that N1 was clicked and N2 was not."""
    times = pc.strptime(behaviours["time"], format=_TIME_FORMAT, unit="s").cast(pa.int64())
    shown = pc.split_pattern(behaviours["impressions"], " ").combine_chunks()
    row, item = pc.list_parent_indices(shown), pc.list_flatten(shown)
    clicked = pc.ends_with(item, _CLICKED)
    row = row.filter(clicked)
    return in_form(
        {
            USER_ID: behaviours[USER_ID].take(row),
            ITEM_ID: pc.utf8_slice_codeunits(item.filter(clicked), 0, -len(_CLICKED)),
            TIMESTAMP: times.take(row),
        }
    )


def _items(news: pa.Table) -> pa.Table:
    """The news in the form of `Tables`, each once."""
    first: dict[str, int] = {}
    for row, item_id in enumerate(news["news_id"].to_pylist()):
        first.setdefault(item_id, row)
    news = news.take(list(first.values()))
    return in_form(
        {
            ITEM_ID: news["news_id"],
            "title": news["title"],
            "description": news["abstract"],
            "category": [[value] if value else [] for value in news["category"].to_pylist()],
            "subcategory": [[value] if value else [] for value in news["subcategory"].to_pylist()],
        }
    )
