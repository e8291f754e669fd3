"""Write the SavedModel that takes raw texts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import trecs
from trecs.errors import ConfigError
from trecs.models.item_tower import ItemTower
from trecs.serving.export import write_version
from trecs.serving.text_module import ProfileEncoder, TextModule
from trecs.settings import TextConfig
from trecs.text.bert import NO_TEXT, Bert, encode_texts

_NUM_CHECKED = 8
# Other batches and machines give other last digits.
_MOST_CHANGE = 1e-3


def write_text_version(
    to: Path,
    settings: TextConfig,
    load: Callable[[], Bert],
    tower: ItemTower,
    scale: tuple[NDArray[np.float32], float],
    texts: Sequence[str],
    vectors: NDArray[np.float32],
    profiles: ProfileEncoder | None = None,
) -> Path:
    """Write the next version, whole or not at all.

    Its `assets.extra/metadata.json` lists the signatures, and the ops that a server must have
    besides TensorFlow's.

    Args:
      to: the model's folder.
      settings: of the run.
      load: gives the BERT as the run left it.
      tower: its trained item tower.
      scale: of its text vectors, as `trecs.features.items.text_scale`.
      texts: of the trained items.
      vectors: float32 [len(texts), H], what its BERT made of them then; NaN for "".
      profiles: encodes users' texts; None where the run has none.

    Returns:
      The version's folder.

    Raises:
      ConfigError: the run has no text, or its BERT is not what it was.
    """
    bert = checked_bert(settings, load, texts, vectors)
    module = TextModule(bert, settings.max_tokens, tower, *scale, profiles)
    metadata = json.dumps(
        {
            "trecs": trecs.__version__,
            "signatures": sorted(module.signatures()),
            "custom_ops": module.custom_ops(),
        }
    )
    return write_version(
        module, to, None, lambda folder: (folder / "metadata.json").write_text(metadata, "utf-8")
    )


def checked_bert(
    settings: TextConfig,
    load: Callable[[], Bert],
    texts: Sequence[str],
    vectors: NDArray[np.float32],
) -> Bert:
    """The BERT of a run, held to the vectors of then."""
    filled = [number for number, text in enumerate(texts) if text][:_NUM_CHECKED]
    if settings.preset == NO_TEXT or not filled:
        raise ConfigError(
            "a model from texts to vectors needs a run that trained with text, got text.preset ="
            f" {settings.preset!r} and {len(filled)} of its texts; train with `--bert minilm` and"
            " an items file that has text"
        )
    bert = load()
    now = encode_texts(bert, [texts[number] for number in filled], settings.max_tokens)
    then = vectors[filled]
    if now.shape != then.shape or np.abs(now - then).max() > _MOST_CHANGE:
        raise ConfigError(
            f"text.preset = {settings.preset!r} gives other vectors than when the run trained: the"
            " BERT in that place was expected to be the same. Put it back, or train again"
        )
    return bert
