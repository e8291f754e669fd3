"""Put a retrieval model together from sizes and settings."""

from __future__ import annotations

from typing import cast

import keras
import numpy as np
from numpy.typing import NDArray

from trecs.features.items import num_category_rows, num_id_rows
from trecs.features.trend import NUM_TREND_FEATURES
from trecs.features.vocabulary import Vocabulary
from trecs.models.item_tower import ItemTower
from trecs.models.repeats import NUM_REPEAT_FEATURES, RepeatTerm
from trecs.models.retrieval import RetrievalModel
from trecs.models.timestamp_tower import TimestampTower
from trecs.models.user_tower import UserTower
from trecs.settings import ModelConfig, TextConfig
from trecs.text.bert import Bert
from trecs.text.encoder import TextEncoder, Tuning

# The training of a log of fewer events is over before the noise of queries that start at their full
# size is gone; started small, a new model scores by trend and biases (docs/decisions/0014).
_SMALL_LOG = 50_000
_SMALL_START = 0.1


def build_model(
    settings: ModelConfig,
    vocabulary: Vocabulary,
    repeats: bool,
    text_encoder: TextEncoder | None = None,
    profile_dim: int = 0,
) -> RetrievalModel:
    """Make the towers and the model, untrained and without data.

    Args:
      settings: the sizes and dropout rates.
      vocabulary: says how many users, items and category values have embeddings.
      repeats: whether items that the user has had may be recommended, and so have a term.
      text_encoder: the BERT, where it is tuned.
      profile_dim: width of the users' profile vectors; 0 where there are none.
    """
    width = settings.embedding_dim
    return RetrievalModel(
        ItemTower(
            num_ids=num_id_rows(vocabulary),
            num_category_values=num_category_rows(vocabulary),
            embedding_dim=width,
            id_dropout=settings.item_id_dropout,
            name="item_tower",
        ),
        TimestampTower(units=width, season=vocabulary.season, name="timestamp_tower"),
        UserTower(
            num_users=len(vocabulary.user_ids) + 1,
            num_trend_features=NUM_TREND_FEATURES,
            num_repeat_features=NUM_REPEAT_FEATURES,
            embedding_dim=width,
            num_layers=settings.num_layers,
            num_heads=settings.num_heads,
            dropout=settings.dropout,
            history_len=settings.history_len,
            user_id_dropout=settings.user_id_dropout,
            season=vocabulary.season,
            query_scale=_SMALL_START if sum(vocabulary.item_counts) < _SMALL_LOG else 1.0,
            name="user_tower",
        ),
        RepeatTerm(width, num_id_rows(vocabulary), name="repeat_term") if repeats else None,
        text_encoder,
        _profile_projection(profile_dim, width) if profile_dim else None,
        name="retrieval",
    )


def _profile_projection(profile_dim: int, width: int) -> keras.layers.Dense:
    """Starts as a model without profiles, and gives users without one exactly nothing."""
    projection = keras.layers.Dense(
        width, use_bias=False, kernel_initializer="zeros", name="profile_projection"
    )
    projection.build((None, profile_dim))
    return projection


def build_text_encoder(
    settings: TextConfig, bert: Bert, centre: NDArray[np.float32], scale: float
) -> TextEncoder:
    """Make the part of a model that tunes its BERT.

    Args:
      settings: what is tuned.
      bert: taken over, and trained in place.
      centre, scale: of the text vectors, as `trecs.features.items.text_scale`.
    """
    tuning = cast(Tuning, settings.tuning)
    pad = bert.tokenizer.pad_token_id
    return TextEncoder(
        bert.backbone, pad, centre.tolist(), scale, tuning, settings.tuned_layers, name="text"
    )
