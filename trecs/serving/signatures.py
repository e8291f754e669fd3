"""Inputs of the signatures of an exported model: names, types and shapes."""

from __future__ import annotations

import tensorflow as tf


def request_signature() -> list[tf.TensorSpec]:
    """Inputs of `recommend` and `encode_query`."""
    return [
        tf.TensorSpec([None], tf.string, name="user_id"),
        tf.TensorSpec([None, None], tf.string, name="history_item_ids"),
        tf.TensorSpec([None, None], tf.int64, name="history_timestamps"),
        tf.TensorSpec([None], tf.int64, name="request_time"),
    ]


def filtered_signature() -> list[tf.TensorSpec]:
    """Inputs of `recommend_filtered`."""
    return [
        *request_signature(),
        tf.TensorSpec([None, None], tf.string, name="excluded_item_ids"),
        tf.TensorSpec([None, None], tf.string, name="allowed_categories"),
    ]


def profiled_signature(width: int) -> list[tf.TensorSpec]:
    """Inputs of `recommend_with_profile`, whose profiles have this width."""
    return [*request_signature(), tf.TensorSpec([None, width], tf.float32, name="profile")]


def explain_signature() -> list[tf.TensorSpec]:
    """Inputs of `explain`."""
    return [*request_signature(), tf.TensorSpec([None, None], tf.string, name="item_ids")]
