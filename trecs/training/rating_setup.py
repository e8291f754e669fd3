"""From settings and training ratings to a rating head that can train."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trecs.data.log import EventLog
from trecs.errors import ConfigError
from trecs.features.items import ItemTable, num_category_rows, num_id_rows
from trecs.features.vocabulary import Vocabulary
from trecs.models.ranking import RatingHead, RatingSizes
from trecs.models.ranking_data import RatingScale, shrunk_mean
from trecs.models.ranking_store import build_rating_head
from trecs.settings import RatingConfig
from trecs.training.rating_estimates import MOST_ITEMS
from trecs.training.rating_statistics import item_sums

_MAX_LEVELS = 100
_RATINGS_IN_ALL = 600_000


def rating_loss(settings: RatingConfig, log: EventLog, train: NDArray[np.int64]) -> str:
    """`mse`, `cross-entropy` or `none`, which `auto` is decided to be.

    `auto` is `mse` where the training ratings have 2 to 100 distinct values, else `none`: more are
    weights, such as seconds watched or pieces bought, rather than ratings.

    Raises:
      ConfigError: a loss is asked for and the log has no ratings, or too many distinct ones for a
        cross-entropy.
    """
    rating = log.rated(train)[1]
    num_levels = len(np.unique(rating))
    if settings.loss == "auto":
        return "mse" if 2 <= num_levels <= _MAX_LEVELS else "none"
    if settings.loss == "none":
        return "none"
    if not num_levels:
        raise ConfigError(
            f"rating.loss={settings.loss} needs ratings, but no training event has one; name their"
            " column with --rating-column, or leave rating.loss at 'auto'"
        )
    if settings.loss == "cross-entropy" and num_levels > _MAX_LEVELS:
        raise ConfigError(
            f"a cross-entropy needs at most {_MAX_LEVELS} distinct ratings, but the training events"
            f" have {num_levels}; take rating.loss=mse"
        )
    return settings.loss


def rating_epochs(settings: RatingConfig, num_ratings: int) -> int:
    """Passes over so many training ratings, see `RatingConfig.epochs`."""
    return settings.epochs or min(max(_RATINGS_IN_ALL // num_ratings, 2), 6)


def make_rating_head(
    loss: str,
    scale: RatingScale,
    log: EventLog,
    train: NDArray[np.int64],
    vocabulary: Vocabulary,
    items: ItemTable,
) -> RatingHead:
    """A head with new weights that knows the training ratings' scale and the items' means.

    Args:
      loss: `mse` or `cross-entropy`.
      scale: of the training ratings.
      log: with ratings.
      train: int64 [n] positions of the training events, with ratings or without.
      vocabulary, items: fitted to the training events.
    """
    head = build_rating_head(
        RatingSizes(
            num_users=len(vocabulary.user_ids) + 1,
            num_ids=num_id_rows(vocabulary),
            num_category_values=num_category_rows(vocabulary),
            num_factor_rows=1 + min(num_id_rows(vocabulary), MOST_ITEMS),
            num_levels=len(scale.levels) if loss == "cross-entropy" else 0,
        ),
        items,
    )
    events, rating = log.rated(train)
    id_index = items.id_index[items.row_of_code[log.item[events]]]
    sums = item_sums(id_index, scale.standardise(rating), head.sizes.num_ids)
    head.set_ratings(scale, shrunk_mean(*sums))
    return head


def user_rows(log: EventLog, vocabulary: Vocabulary) -> NDArray[np.int32]:
    """int32 [U]: row of the user embedding of each user code, 0 for users that did not train."""
    row = {user_id: i + 1 for i, user_id in enumerate(vocabulary.user_ids)}
    return np.array([row.get(user_id, 0) for user_id in log.user_ids], np.int32)
