"""The MovieLens data sets: GroupLens's archives, and the 100K set inside the RecBole package."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from trecs.columns import ITEM_ID, RATING, TIMESTAMP, USER_ID
from trecs.data.sources_tables import Tables, in_form, read_delimited, title_and_year

# The order of the flags in u.item, as u.genre gives it; the first, "unknown", is no genre.
_GENRES_100K = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip
_NO_GENRES = {"", "unknown", "(no genres listed)"}
# RecBole's copy misspells the title of film 267.
_RECBOLE_TITLES = {"unkonwn": "unknown"}
_EVENT_NAMES = (USER_ID, ITEM_ID, RATING, TIMESTAMP)
_EVENT_TYPES = {
    USER_ID: pa.string(),
    ITEM_ID: pa.string(),
    RATING: pa.float32(),
    TIMESTAMP: pa.int64(),
}


def grouplens_100k(files: Sequence[Path]) -> Tables:
    """Reads ml-100k.zip: u.data (tab-separated) and u.item (Latin-1, 19 genre flags)."""
    with zipfile.ZipFile(files[0]) as archive:
        with archive.open("ml-100k/u.data") as file:
            events = read_delimited(file, "\t", _EVENT_TYPES, names=_EVENT_NAMES)
        text = archive.read("ml-100k/u.item").decode("latin-1")
    rows = _rows(text, "|")
    genres = [
        [genre for genre, flag in zip(_GENRES_100K, row[5:], strict=True) if flag == "1"]
        for row in rows
    ]
    return Tables(_events(events), _films(_column(rows, 0), _column(rows, 1), genres))


def recbole_100k(files: Sequence[Path]) -> Tables:
    """Reads the set inside the recbole wheel, to the same tables as `grouplens_100k`."""
    folder = "recbole/dataset_example/ml-100k"
    with zipfile.ZipFile(files[0]) as archive:
        inter = archive.read(f"{folder}/ml-100k.inter").split(b"\n", 1)[1]
        text = archive.read(f"{folder}/ml-100k.item").decode("utf-8")
    events = read_delimited(io.BytesIO(inter), "\t", _EVENT_TYPES, names=_EVENT_NAMES)
    rows = _rows(text, "\t")[1:]
    titles = []
    for _, title, year, _ in rows:
        # Where the year is no number ("V"), the title has kept it.
        title = _RECBOLE_TITLES.get(title, title)
        titles.append(f"{title} ({year})" if year.isdigit() else title)
    genres = [row[3].split(" ") for row in rows]
    return Tables(_events(events), _films(_column(rows, 0), titles, genres))


def grouplens_1m(files: Sequence[Path]) -> Tables:
    """Reads ml-1m.zip: ratings.dat and movies.dat (Latin-1), whose columns "::" separates."""
    with zipfile.ZipFile(files[0]) as archive:
        ratings = archive.read("ml-1m/ratings.dat").replace(b"::", b"\t")
        text = archive.read("ml-1m/movies.dat").decode("latin-1")
    events = read_delimited(io.BytesIO(ratings), "\t", _EVENT_TYPES, names=_EVENT_NAMES)
    rows = _rows(text, "::")
    genres = [row[2].split("|") for row in rows]
    return Tables(_events(events), _films(_column(rows, 0), _column(rows, 1), genres))


def grouplens_csv(files: Sequence[Path]) -> Tables:
    """Reads ml-20m.zip, ml-25m.zip or ml-32m.zip: ratings.csv and movies.csv (UTF-8)."""
    types = {"userId": pa.string(), "movieId": pa.string(), RATING: pa.float32()}
    with zipfile.ZipFile(files[0]) as archive:
        folder = archive.namelist()[0].split("/")[0]
        with archive.open(f"{folder}/ratings.csv") as file:
            events = read_delimited(file, ",", {**types, TIMESTAMP: pa.int64()})
        with archive.open(f"{folder}/movies.csv") as file:
            films = read_delimited(
                file, ",", dict.fromkeys(("movieId", "title", "genres"), pa.string()), quoted=True
            )
    events = events.rename_columns([USER_ID, ITEM_ID, RATING, TIMESTAMP])
    genres = [text.split("|") for text in films["genres"].to_pylist()]
    return Tables(_events(events), _films(films["movieId"], films["title"].to_pylist(), genres))


def _rows(text: str, separator: str) -> list[list[str]]:
    """The lines' values. Not by splitlines, to which some of Latin-1's signs end a line too."""
    return [line.split(separator) for line in text.replace("\r", "").split("\n") if line]


def _column(rows: Sequence[Sequence[str]], number: int) -> list[str]:
    """One column of rows of text."""
    return [row[number] for row in rows]


def _events(table: pa.Table) -> pa.Table:
    """The events in the form of `Tables`."""
    return in_form({name: table[name] for name in (USER_ID, ITEM_ID, TIMESTAMP, RATING)})


def _films(item_ids: Any, titles: Iterable[str], genres: Iterable[Iterable[str]]) -> pa.Table:
    """The items in the form of `Tables`: title without its year, year, genres."""
    parted = [title_and_year(title) for title in titles]
    return in_form(
        {
            ITEM_ID: item_ids,
            "title": [title for title, _ in parted],
            "release_year": [year for _, year in parted],
            "genres": [[genre for genre in some if genre not in _NO_GENRES] for some in genres],
        }
    )
