"""The user table: a row for every user that the model can tell from others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trecs.data.users import UserTexts
from trecs.features.items import standardise, text_scale
from trecs.features.vocabulary import Vocabulary


@dataclass(frozen=True)
class UserTable:
    """Users by row; row 0 is any user that is not in the table.

    Attributes:
      user_ids: user `i` has row `i + 1`. Those that trained come first, in the vocabulary's order;
        the others are known by their profile text alone.
      num_trained: how many of them trained, and so have an id embedding.
      profile: float32 [len(user_ids) + 1, H] vectors of the profile texts, zero where there is
        none; H is 0 where no user has one.
    """

    user_ids: tuple[str, ...]
    num_trained: int
    profile: NDArray[np.float32]

    @property
    def profile_dim(self) -> int:
        """H."""
        width: int = self.profile.shape[1]
        return width


def build_user_table(
    vocabulary: Vocabulary, users: UserTexts | None, vectors: NDArray[np.float32]
) -> UserTable:
    """Lay out the users for a model fitted with `vocabulary`.

    Args:
      vocabulary: the fitted state.
      users: of the data set.
      vectors: float32 [P, H], of their texts; rows of NaN where a user has none.
    """
    trained = vocabulary.user_ids
    if users is None or not vectors.shape[1]:
        return UserTable(trained, len(trained), np.zeros((len(trained) + 1, 0), np.float32))
    new = ~pd.Index(users.user_ids).isin(trained) & np.isfinite(vectors).all(axis=1)
    user_ids = (*trained, *users.user_ids[new].tolist())
    place = pd.Index(users.user_ids).get_indexer(pd.Index(user_ids, dtype=object))
    nothing = np.full((1, vectors.shape[1]), np.nan, np.float32)
    # -1, for a user without a row in the file, takes the row of nothing at the end.
    rows = np.concatenate([vectors, nothing])[np.concatenate([[-1], place])]
    return UserTable(
        user_ids, len(trained), standardise(rows, profile_scale(vocabulary, users, vectors))
    )


def profile_scale(
    vocabulary: Vocabulary, users: UserTexts, vectors: NDArray[np.float32]
) -> tuple[NDArray[np.float32], float]:
    """The centre and scale of profile vectors, of the trained users; see `text_scale`."""
    return text_scale(vectors[pd.Index(users.user_ids).isin(vocabulary.user_ids)])
