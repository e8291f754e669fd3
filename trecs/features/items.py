"""The item table: one row of features for every item the model can see or recommend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from trecs.data.catalogue import Catalogue
from trecs.data.dataset import Dataset
from trecs.features.spec import FIRST_ITEM_ROW, PAD_ROW
from trecs.features.vocabulary import Vocabulary

NEW_ID = 0
"""Row of the id embedding shared by all items that did not train."""
START_ID = 1
"""Row of the id embedding that stands for the start of a history."""
_MAX_VALUES = 8
# Vectors of one text differ by rounding alone, those of two texts by far more.
_ONE_TEXT = 1e-4

_Number = TypeVar("_Number", bound=np.generic)


@dataclass(frozen=True)
class ItemTable:
    """Features by item row; M rows, of which the first two are padding and the unknown item.

    Attributes:
      item_ids: object [M - 2] external ids; candidate `i` has row `i + 2`. Trained items come
        first.
      num_trained: how many of them have an id embedding of their own.
      row_of_code: int32 [N], item row of each item code of the dataset.
      id_index: int32 [M], row of the id embedding; NEW_ID for items that did not train.
      text: float32 [M, H] text vectors, zero where there is no text; H may be 0.
      categories: int32 [M, S] rows of the category embedding, 0 is none.
      release: float32 [M, 2] standardised release time and whether it is known.
    """

    item_ids: NDArray[np.object_]
    num_trained: int
    row_of_code: NDArray[np.int32]
    id_index: NDArray[np.int32]
    text: NDArray[np.float32]
    categories: NDArray[np.int32]
    release: NDArray[np.float32]

    @property
    def num_candidates(self) -> int:
        """Number of items that can be recommended, M - 2."""
        return len(self.item_ids)


def build_item_table(
    dataset: Dataset,
    vocabulary: Vocabulary,
    text_vectors: NDArray[np.float32],
    scale: tuple[NDArray[np.float32], float] | None = None,
) -> ItemTable:
    """Lay out the items of a dataset for a model fitted with `vocabulary`.

    Args:
      dataset: its catalogue may hold items that did not train; they get rows after the trained
        ones.
      vocabulary: the fitted state.
      text_vectors: float32 [N, H] by item code; rows of NaN where an item has no text.
      scale: what text vectors are centred and scaled by; None: by `text_scale` of the trained ones.

    Raises:
      ValueError: the vocabulary's items are not in the dataset.
    """
    catalogue = dataset.catalogue
    code_of_id = {item_id: code for code, item_id in enumerate(catalogue.item_ids)}
    missing = [item_id for item_id in vocabulary.item_ids if item_id not in code_of_id]
    if missing:
        raise ValueError(
            f"{len(missing)} trained items are not in the dataset, such as {missing[:3]}; give the"
            " items file (or log) that still lists them"
        )
    trained = np.array([code_of_id[item_id] for item_id in vocabulary.item_ids], np.int64)
    is_new = np.ones(len(catalogue.item_ids), bool)
    is_new[trained] = False
    codes = np.concatenate([trained, np.flatnonzero(is_new)])
    row_of_code = np.empty(len(codes), np.int32)
    row_of_code[codes] = np.arange(FIRST_ITEM_ROW, FIRST_ITEM_ROW + len(codes))
    id_index = np.full(len(codes) + FIRST_ITEM_ROW, NEW_ID, np.int32)
    id_index[PAD_ROW] = START_ID
    first = FIRST_ITEM_ROW
    id_index[first : first + len(trained)] = START_ID + 1 + np.arange(len(trained))
    return ItemTable(
        item_ids=catalogue.item_ids[codes],
        num_trained=len(trained),
        row_of_code=row_of_code,
        id_index=id_index,
        text=_with_special_rows(
            standardise(text_vectors[codes], scale or text_scale(text_vectors[trained]))
        ),
        categories=_with_special_rows(_category_rows(catalogue, vocabulary)[codes]),
        release=_with_special_rows(_release(catalogue, vocabulary)[codes]),
    )


def num_id_rows(vocabulary: Vocabulary) -> int:
    """Rows of the id embedding, the two special ones included."""
    return START_ID + 1 + len(vocabulary.item_ids)


def num_category_rows(vocabulary: Vocabulary) -> int:
    """Rows of the category embedding, the empty row 0 included."""
    return 1 + sum(len(values) for values in vocabulary.category_values.values())


def _with_special_rows(array: NDArray[_Number]) -> NDArray[_Number]:
    padding = np.zeros((FIRST_ITEM_ROW, *array.shape[1:]), array.dtype)
    return np.concatenate([padding, array])


def text_scale(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """The mean of the trained items' text vectors, [H], and the root mean square beside it.

    The latter is 1 where the vectors do not differ: one text says nothing of how far others lie.

    Args:
      vectors: float32 [num_trained, H]; rows of NaN, where an item has no text, do not count.
    """
    fitted = vectors[np.isfinite(vectors).all(axis=1)]
    if not fitted.size:
        return np.zeros(vectors.shape[1], np.float32), 1.0
    if np.ptp(fitted, axis=0).max() < _ONE_TEXT:
        return fitted[0], 1.0
    centre = fitted.mean(axis=0)
    return centre, float(np.sqrt(np.mean((fitted - centre) ** 2)) + 1e-6)


def standardise(
    vectors: NDArray[np.float32], of: tuple[NDArray[np.float32], float]
) -> NDArray[np.float32]:
    """Text vectors centred and scaled; BERT's means share a direction, which the centre takes out.

    Args:
      vectors: float32 [n, H]; rows of NaN, where there is no text, become zero.
      of: centre and scale, as `text_scale`.
    """
    centre, scale = of
    known = np.asarray(np.isfinite(vectors).all(axis=1))
    return np.where(known[:, None], (vectors - centre) / scale, 0).astype(np.float32)


def _category_rows(catalogue: Catalogue, vocabulary: Vocabulary) -> NDArray[np.int32]:
    """int32 [N, S]: rows of each item's values, at most 8 a column; unseen values are left out."""
    blocks = []
    offset = 1
    for column, known in vocabulary.category_values.items():
        row_of = {value: offset + i for i, value in enumerate(known)}
        offset += len(known)
        values = catalogue.categories.get(column, ((),) * len(catalogue.item_ids))
        rows = [[row_of[v] for v in item if v in row_of][:_MAX_VALUES] for item in values]
        block = np.zeros((len(rows), max(map(len, rows), default=0)), np.int32)
        for i, row in enumerate(rows):
            block[i, : len(row)] = row
        blocks.append(block)
    empty = np.zeros((len(catalogue.item_ids), 1), np.int32)
    return np.concatenate([empty, *blocks], axis=1)


def _release(catalogue: Catalogue, vocabulary: Vocabulary) -> NDArray[np.float32]:
    result = np.zeros((len(catalogue.item_ids), 2), np.float32)
    if catalogue.release_time_s is None or vocabulary.release_std_s == 0:
        return result
    known = np.isfinite(catalogue.release_time_s)
    standard = (catalogue.release_time_s - vocabulary.release_mean_s) / vocabulary.release_std_s
    result[known, 0] = np.clip(standard[known], -5, 5)
    result[known, 1] = 1
    return result
