"""What validation chooses after training: a few numbers of the model that gradients cannot set."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from trecs.features.items import NEW_ID
from trecs.models.retrieval import RetrievalModel

CHOICES = "choices.json"
"""The file, in the folder of a run, that `write_choices` writes."""

_TRANSITION_WEIGHTS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)
_EASE_WEIGHTS = (1.0, 4.0, 16.0, 64.0)
_EASE_DECAYS = (0.98, 0.9)
_RAISES = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)


def choose_neighbour_weights(model: RetrievalModel, validate: Callable[[], float]) -> None:
    """Leave in the model what validates best: the transitions' weight, then EASE's and its decay.

    EASE's weight goes in steps of four, with each decay, then is halved or doubled if that is
    better. Of equals the first stays.
    """
    transition_weight, *ease = model.chosen
    _choose([transition_weight], [(weight,) for weight in _TRANSITION_WEIGHTS], validate)
    steps = [(weight, decay) for decay in _EASE_DECAYS for weight in _EASE_WEIGHTS]
    weight, decay = _choose(ease, [(0.0, _EASE_DECAYS[0]), *steps], validate)
    if weight:
        _choose(ease, [(times * weight, decay) for times in (1.0, 0.5, 2.0)], validate)


def _choose(
    variables: Sequence[keras.Variable],
    choices: Sequence[tuple[float, ...]],
    validate: Callable[[], float],
) -> tuple[float, ...]:
    """Give the variables the values that validate best, and return these."""
    scores = []
    for choice in choices:
        _assign(variables, choice)
        scores.append(validate())
    best = choices[int(np.argmax(scores))]
    _assign(variables, best)
    return best


def _assign(variables: Sequence[keras.Variable], values: Sequence[float]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def raise_new_items(model: RetrievalModel, validate: Callable[[], float], cost: float) -> float:
    """Raise the bias that new items share as far as a share of the validation score pays for.

    Counts add to the scores of items that trained and to no others, so that new items come out
    lower than they should. To be called after the neighbour weights are chosen.

    Args:
      model: its bias of new items is raised by up to 3, in steps of 1/2.
      validate: scores the model as it is, higher is better.
      cost: share of the score without a raise that may be given up.

    Returns:
      How far it was raised.
    """
    bias = model.item_tower.id_bias.embeddings
    before = bias.numpy()
    least = (1 - cost) * validate()
    found = 0.0
    for raised_by in _RAISES:
        bias.assign(_raised(before, raised_by))
        if validate() < least:
            break
        found = raised_by
    bias.assign(_raised(before, found))
    return found


def _raised(bias: NDArray[np.float32], raised_by: float) -> NDArray[np.float32]:
    raised = bias.copy()
    raised[NEW_ID] += raised_by
    return raised


def apply_choices(model: RetrievalModel, path: Path) -> float:
    """Give a model what was chosen for another of its kind; returns how far new items were raised.

    Args:
      model: trained, its new items not raised yet.
      path: what `write_choices` wrote.
    """
    chosen = json.loads(path.read_text("utf-8"))
    _assign(model.chosen, [chosen[variable.name] for variable in model.chosen])
    bias = model.item_tower.id_bias.embeddings
    bias.assign(_raised(bias.numpy(), chosen["new_items_raised_by"]))
    return float(chosen["new_items_raised_by"])


def write_choices(model: RetrievalModel, raised_by: float, path: Path) -> None:
    """Write what was chosen as JSON: the model's `chosen` by name, and `new_items_raised_by`."""
    chosen = {variable.name: float(variable.numpy()) for variable in model.chosen}
    chosen |= {"new_items_raised_by": raised_by}
    path.write_text(json.dumps(chosen), encoding="utf-8")
