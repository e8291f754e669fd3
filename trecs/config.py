"""The configuration: frozen, documented and strict.

One dataclass a section, one docstring a field. ``load_config`` reads TOML and ``key=value``
overrides, rejects unknown keys and wrong types, and reports all problems together. Layers never see
a config object; ``trecs.api`` takes it apart.
"""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trecs.errors import ConfigError, Problems
from trecs.settings import (
    DataConfig,
    EvaluationConfig,
    ModelConfig,
    PretrainingConfig,
    RatingConfig,
    ServingConfig,
    SplitConfig,
    TextConfig,
    TrainingConfig,
)


@dataclass(frozen=True)
class Config:
    """All settings of a run."""

    data: DataConfig = field(default_factory=DataConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    text: TextConfig = field(default_factory=TextConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    rating: RatingConfig = field(default_factory=RatingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    serving: ServingConfig = field(default_factory=ServingConfig)
    pretraining: PretrainingConfig = field(default_factory=PretrainingConfig)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """The settings as plain nested dictionaries, fit for JSON."""
        return json.loads(json.dumps(dataclasses.asdict(self)))  # type: ignore[no-any-return]


def to_toml(config: Config) -> str:
    """The settings that are not the defaults, as TOML that `load_config` reads back."""
    default, lines = Config().to_dict(), []
    for section, values in config.to_dict().items():
        changed = {k: v for k, v in values.items() if v != default[section][k]}
        if changed:
            # JSON's strings, numbers, lists and booleans are TOML's, but for its escapes.
            values = {k: json.dumps(v, ensure_ascii=False) for k, v in changed.items()}
            lines += [f"[{section}]", *(f"{k} = {v}" for k, v in values.items()), ""]
    return "\n".join(lines)


_CHOICES: dict[str, tuple[str, ...]] = {
    "data.timestamp_unit": ("", "s", "ms", "us", "ns"),
    "split.kind": ("temporal", "leave-last-out", "rolling-origin"),
    "split.ties": ("auto", "strict", "order"),
    "split.refit": ("none", "validation", "all"),
    "text.tuning": ("frozen", "lora", "last-n", "full"),
    "model.loss": ("auto", "full", "sampled"),
    "training.strategy": ("auto", "mirrored", "one-device", "multi-worker"),
    "training.precision": ("auto", "float32", "bfloat16"),
    "rating.loss": ("auto", "mse", "cross-entropy", "none"),
    "evaluation.seen_filter": ("auto", "on", "off"),
    "serving.index": ("auto", "exact", "inverted-file"),
    "serving.storage": ("float32", "bfloat16"),
}
# Inclusive ranges.
_RANGES: dict[str, tuple[float, float]] = {
    "split.train_quantile": (0.01, 0.98),
    "split.test_quantile": (0.02, 0.99),
    "split.num_origins": (1, 50),
    "split.origin": (1, 50),
    "text.max_tokens": (3, 512),
    "text.tuned_layers": (1, 48),
    "text.learning_rate": (1e-8, 1),
    "model.embedding_dim": (2, 4096),
    "model.num_layers": (1, 48),
    "model.num_heads": (1, 64),
    "model.dropout": (0, 0.95),
    "model.item_id_dropout": (0, 0.95),
    "model.new_item_cost": (0, 1),
    "model.user_id_dropout": (0, 1),
    "model.history_len": (2, 10_000),
    "model.full_softmax_max_items": (0, 10_000_000),
    "model.num_uniform_negatives": (1, 1_000_000),
    "training.epochs": (0, 100_000),
    "training.patience": (1, 100_000),
    "training.batch_events": (1, 1_000_000),
    "training.learning_rate": (1e-8, 10),
    "training.warmup_steps": (0, 10_000_000),
    "training.weight_decay": (0, 10),
    "training.seed": (0, 2**31 - 1),
    "training.validation_targets": (0, 10**9),
    "training.checkpoint_steps": (1, 10**9),
    "rating.epochs": (0, 10_000),
    "serving.probes": (0, 1_000_000),
    "serving.min_recall": (0, 1),
    "pretraining.steps": (1, 10**9),
    "pretraining.batch_rows": (1, 1_000_000),
    "pretraining.max_tokens": (4, 512),
    "pretraining.mask_rate": (0.01, 0.9),
    "pretraining.mlm_weight": (0, 1000),
    "pretraining.causal_weight": (0, 1000),
    "pretraining.learning_rate": (1e-8, 10),
    "pretraining.warmup_steps": (0, 10_000_000),
    "pretraining.weight_decay": (0, 10),
    "pretraining.held_out_share": (0.001, 0.5),
    "pretraining.held_out_rows": (1, 10**9),
    "pretraining.checkpoint_steps": (1, 10**9),
    "pretraining.vocabulary_size": (100, 1_000_000),
    "pretraining.num_layers": (1, 48),
    "pretraining.num_heads": (1, 64),
    "pretraining.hidden_dim": (2, 4096),
}


def load_config(
    path: str | Path | None = None,
    overrides: Sequence[str] = (),
    values: Mapping[str, Mapping[str, Any]] | None = None,
) -> Config:
    """The defaults, changed by a TOML file, then by nested values, then by ``key=value`` strings.

    Args:
      path: TOML file with sections as in `Config`, or None.
      overrides: strings such as ``"model.embedding_dim=32"``; the value is read as TOML, and as a
        plain string where it is none.
      values: nested mapping of the same shape as the TOML file.

    Raises:
      ConfigError: an unreadable file, unknown keys, wrong types, values out of range; all problems
        of all sources in one error.
    """
    problems = Problems()
    merged: dict[str, Any] = {}
    for source in (_read_toml(path), values or {}, _parse_overrides(overrides, problems)):
        _merge(merged, source, problems)
    config = _build(merged, problems)
    _check_relations(config, problems)
    problems.raise_if_any(ConfigError, "The configuration is not usable")
    return config


def _read_toml(path: str | Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"The config file {path} cannot be read as TOML: {error}") from error


def _parse_overrides(overrides: Sequence[str], problems: Problems) -> dict[str, Any]:
    parsed: dict[str, Any] = {}
    for text in overrides:
        key, equals, value = text.partition("=")
        section, dot, name = key.strip().partition(".")
        if not (equals and dot and name):
            problems.add(f"expected section.key=value, such as model.dropout=0.1, got {text!r}")
            continue
        parsed.setdefault(section, {})[name] = _toml_value(value.strip())
    return parsed


def _toml_value(text: str) -> Any:
    if re.fullmatch(r"[+-]?(\.\d+|\d+\.)(e[+-]?\d+)?", text, re.IGNORECASE):
        return float(text)  # which TOML wants digits around the point for
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _merge(into: dict[str, Any], source: Mapping[str, Any], problems: Problems) -> None:
    for section, values in source.items():
        if not isinstance(values, Mapping):
            problems.add(f"{section!r} must be a section with keys, got the value {values!r}")
            continue
        into.setdefault(section, {}).update(values)


def _build(merged: Mapping[str, Mapping[str, Any]], problems: Problems) -> Config:
    sections = {f.name: f.default_factory for f in dataclasses.fields(Config)}
    for name in merged:
        if name not in sections:
            problems.add(f"unknown section {name!r}; there are {', '.join(sections)}")
    built = {
        name: _build_section(name, typing.cast(type, section), merged.get(name, {}), problems)
        for name, section in sections.items()
    }
    return Config(**built)


def _build_section(name: str, cls: type, values: Mapping[str, Any], problems: Problems) -> Any:
    hints = typing.get_type_hints(cls)
    accepted = {}
    for key, value in values.items():
        if key not in hints:
            problems.add(f"unknown key {name}.{key}; [{name}] has {', '.join(hints)}")
            continue
        try:
            accepted[key] = _coerce(value, hints[key])
        except TypeError as error:
            problems.add(f"{name}.{key} {error}, got {value!r}")
            continue
        _check_value(f"{name}.{key}", accepted[key], problems)
    return cls(**accepted)


def _coerce(value: Any, expected: Any) -> Any:
    if expected is bool or isinstance(value, bool):
        if expected is bool and isinstance(value, bool):
            return value
        plain = expected in (bool, int, float, str)
        raise TypeError(f"must be {expected.__name__ if plain else 'a list of strings'}")
    if expected is float and isinstance(value, int):
        return float(value)
    if expected in (int, float, str):
        if isinstance(value, expected):
            return value
        raise TypeError(f"must be {expected.__name__}")
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, (list, tuple)) and all(isinstance(part, str) for part in value):
        return tuple(value)
    raise TypeError("must be a list of strings")


def _check_value(key: str, value: Any, problems: Problems) -> None:
    if key in _CHOICES and value not in _CHOICES[key]:
        choices = ", ".join(repr(choice) for choice in _CHOICES[key])
        problems.add(f"{key} must be one of {choices}, got {value!r}")
    if key in _RANGES:
        low, high = _RANGES[key]
        if not low <= value <= high:
            problems.add(f"{key} must be from {low} to {high}, got {value!r}")


def _check_relations(config: Config, problems: Problems) -> None:
    model, split, bert = config.model, config.split, config.pretraining
    if config.text.tuning != "frozen" and config.text.preset == "none":
        problems.add(f"text.tuning = {config.text.tuning!r} needs a BERT, got text.preset = 'none'")
    if bert.hidden_dim % bert.num_heads:
        problems.add(
            "pretraining.num_heads must divide pretraining.hidden_dim, got "
            f"{bert.num_heads} heads for {bert.hidden_dim}"
        )
    if bert.mlm_weight == bert.causal_weight == 0:
        problems.add("one of pretraining.mlm_weight and pretraining.causal_weight must be above 0")
    if model.embedding_dim % model.num_heads:
        problems.add(
            f"model.num_heads must divide model.embedding_dim, got {model.num_heads} heads for "
            f"{model.embedding_dim}"
        )
    if split.origin > split.num_origins:
        problems.add(
            f"split.origin must be at most split.num_origins, got {split.origin} of "
            f"{split.num_origins}"
        )
    if split.train_quantile >= split.test_quantile:
        problems.add(
            f"split.train_quantile must be below split.test_quantile, got {split.train_quantile} "
            f"and {split.test_quantile}"
        )
