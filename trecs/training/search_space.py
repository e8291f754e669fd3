"""What `trecs tune` may change, and within which bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Range:
    """A number between two others.

    Attributes:
      low, high: bounds, inclusive.
      log: whether what counts is the factor between two values, not their difference.
    """

    low: float
    high: float
    log: bool = False


Space: TypeAlias = dict[str, Choice | Range]

SPACE: Space = {
    "model.embedding_dim": Choice((32, 64, 128)),
    "model.num_layers": Choice((1, 2, 3)),
    "model.dropout": Range(0.1, 0.5),
    "model.item_id_dropout": Range(0.0, 0.5),
    "model.user_id_dropout": Range(0.2, 1.0),
    "model.history_len": Choice((20, 50, 100, 200)),
    "training.learning_rate": Range(5e-4, 1e-2, log=True),
    "training.weight_decay": Range(1e-3, 0.3, log=True),
}
"""Setting by setting. What is not here changes cost rather than quality, or is the data's affair
(loss, epochs, seen filter), for which the settings have defaults by size and repeat rate."""


class Trial(Protocol):
    """What proposes values; an `optuna.trial.Trial` is one."""

    def suggest_categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        """One of the choices."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number from low to high."""


def space_around(start: dict[str, Any], num_heads: int = 1) -> Space:
    """`SPACE`, widened where need be so that a starting point is inside.

    Args:
      start: values of settings of `SPACE`; others are not searched.
      num_heads: of the attention, which must divide the embedding's width.

    Example:
      >>> space_around({"model.dropout": 0.6})
      {'model.dropout': Range(low=0.1, high=0.6, log=False)}
    """
    around: Space = {}
    for name, value in start.items():
        part = SPACE[name]
        if isinstance(part, Choice):
            around[name] = part if value in part.values else Choice((*part.values, value))
        else:
            around[name] = replace(part, low=min(part.low, value), high=max(part.high, value))
    width = around.get("model.embedding_dim")
    if isinstance(width, Choice):
        fits = tuple(value for value in width.values if value % num_heads == 0)
        around["model.embedding_dim"] = Choice(fits)
    return around


def propose(trial: Trial, space: Space) -> dict[str, Any]:
    """A value for each setting of the space."""
    return {
        name: trial.suggest_categorical(name, part.values)
        if isinstance(part, Choice)
        else trial.suggest_float(name, part.low, part.high, log=part.log)
        for name, part in space.items()
    }
