"""Texts to pretrain on: item texts, users' histories written as text, lines of text files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trecs.data.dataset import Dataset
from trecs.data.sequences import build_sequences
from trecs.errors import DataError

_BETWEEN_EVENTS = ". "


@dataclass(frozen=True, eq=False)
class Corpus:
    """Distinct texts, some of which are held out.

    Attributes:
      name: such as "movielens-100k items".
      train: object [n] of str.
      held_out: object [m] of str; none of them is in `train`.
      repeats_items: whether it is made of texts of another corpus, as histories are.
    """

    name: str
    train: NDArray[np.object_]
    held_out: NDArray[np.object_]
    repeats_items: bool = False


def data_corpora(
    name: str, dataset: Dataset, train: NDArray[np.int64], held_out_share: float
) -> list[Corpus]:
    """The item texts and the histories of a data set, from the training window alone.

    An item that has no event in the training window is left out, so that it stays new to the BERT
    when cold start is measured. Histories hold the items' titles in time order. A held-out item is
    cut from the histories that train, and held-out histories are those of held-out users.

    Args:
      name: of the data set.
      dataset: log and catalogue.
      train: int64 [n], positions of the training events.
      held_out_share: of the texts, and of the users.

    Raises:
      DataError: the items of the training window have fewer than two distinct texts.
    """
    catalogue, log = dataset.catalogue, dataset.log
    known = np.unique(log.item[train])
    items = _cut(f"{name} items", catalogue.texts[known], held_out_share)
    hidden = pd.Index(items.held_out).get_indexer(pd.Index(catalogue.texts)) >= 0
    names = np.where(catalogue.titles != "", catalogue.titles, catalogue.texts)
    sequences = build_sequences(log, train)
    is_held_out = _chosen(log.user_ids, held_out_share)
    trained: list[str] = []
    held_out: list[str] = []
    for user, (start, end) in enumerate(zip(sequences.start, sequences.start[1:], strict=False)):
        item = log.item[sequences.order[start:end]]
        into = held_out if is_held_out[user] else trained
        seen = item if is_held_out[user] else item[~hidden[item]]
        into.append(_BETWEEN_EVENTS.join(text for text in names[seen] if text))
    seen_texts = set(trained)
    histories = Corpus(
        f"{name} histories",
        _objects([text for text in trained if text]),
        _objects([text for text in held_out if text and text not in seen_texts]),
        repeats_items=True,
    )
    return [items, histories] if len(histories.held_out) else [items]


def text_file_corpus(path: str | Path, held_out_share: float) -> Corpus:
    """The lines of a UTF-8 text file that are not blank.

    Raises:
      DataError: the file cannot be read as UTF-8, or has fewer than two distinct lines.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} must be text in UTF-8, got {error}; convert it, such as by"
            f" `iconv -f latin1 -t utf-8 {path}`"
        ) from error
    lines = [line.strip() for line in text.splitlines()]
    return _cut(Path(path).name, _objects(lines), held_out_share)


def _cut(name: str, texts: NDArray[np.object_], held_out_share: float) -> Corpus:
    distinct = pd.unique(texts[texts != ""])
    if len(distinct) < 2:
        raise DataError(
            f"a corpus needs two distinct texts at least, one to train on and one to hold out, but "
            f"{name} has {len(distinct)}: name the text columns of the items file by"
            " data.text_columns, or give a text file"
        )
    chosen = _chosen(distinct, held_out_share)
    return Corpus(name, distinct[~chosen], distinct[chosen])


def _chosen(keys: NDArray[np.object_], share: float) -> NDArray[np.bool_]:
    """Bool [n]: that share of the keys, one at least, by a hash of each, whatever their order."""
    chosen = np.zeros(len(keys), bool)
    by_hash = np.argsort(pd.util.hash_array(keys, categorize=False), kind="stable")
    chosen[by_hash[: max(1, round(share * len(keys)))]] = True
    return chosen


def _objects(texts: list[str]) -> NDArray[np.object_]:
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    return array
