"""Settings: where they come from, which wins, and what is wrong with them, all at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trecs.config import Config, load_config, to_toml
from trecs.errors import ConfigError
from trecs.settings import DataConfig, ModelConfig


def test_without_sources_the_defaults_come() -> None:
    assert load_config() == Config()


def test_later_sources_win_key_by_key(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("[model]\nembedding_dim = 16\nnum_layers = 3\nnum_heads = 1\n", "utf-8")
    config = load_config(
        path,
        ["model.embedding_dim=8"],
        {"model": {"embedding_dim": 12, "num_layers": 4}, "training": {"seed": 9}},
    )
    assert config.model == ModelConfig(embedding_dim=8, num_layers=4, num_heads=1)
    assert config.training.seed == 9


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("text_columns=title, plot", ("title", "plot")),
        ('text_columns=["title, full", "plot"]', ("title, full", "plot")),
        ("text_columns=title", ("title",)),
    ],
)
def test_a_list_is_written_with_commas_or_as_toml(text: str, value: tuple[str, ...]) -> None:
    assert load_config(overrides=[f"data.{text}"]).data == DataConfig(text_columns=value)


def test_a_bare_word_is_a_string_and_a_whole_number_is_a_float_where_one_is_due() -> None:
    config = load_config(
        overrides=["text.preset=none", "model.dropout=0", "data.user_column = a=b"]
    )
    assert config.text.preset == "none"
    assert config.data.user_column == "a=b"
    assert isinstance(config.model.dropout, float)


def test_the_settings_survive_json() -> None:
    config = load_config(overrides=["data.text_columns=a,b", "model.history_len=7"])
    assert load_config(values=json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.width=8", r"unknown key model\.width; \[model\] has embedding_dim, num_layers"),
        ("modle.dropout=0", r"unknown section 'modle'; there are data, split, text, model"),
        ("model.dropout=high", r"model\.dropout must be float, got 'high'"),
        ("model.num_layers=1.5", r"model\.num_layers must be int, got 1\.5"),
        ("model.num_layers=true", r"model\.num_layers must be int, got True"),
        ("training.tensorboard=1", r"training\.tensorboard must be bool, got 1"),
        ("data.text_columns=[1]", r"data\.text_columns must be a list of strings, got \[1\]"),
        ("data.text_columns=true", r"data\.text_columns must be a list of strings, got True"),
        ("text.preset=3", r"text\.preset must be str, got 3"),
        ("model.dropout=1", r"model\.dropout must be from 0 to 0\.95, got 1\.0"),
        ("model.dropout=nan", r"model\.dropout must be from 0 to 0\.95, got nan"),
        ("training.epochs=-1", r"training\.epochs must be from 0 to 100000, got -1"),
        (
            "split.kind=random",
            r"one of 'temporal', 'leave-last-out', 'rolling-origin', got 'random'",
        ),
        ("model.num_heads=3", r"num_heads must divide model\.embedding_dim, got 3 heads for 64"),
        ("split.train_quantile=.9.5", r"train_quantile must be float, got '\.9\.5'"),
        ("split.train_quantile=0.9", r"must be below split\.test_quantile, got 0\.9 and 0\.9"),
        ("dropout=0.1", r"expected section\.key=value, .* got 'dropout=0\.1'"),
        ("model.dropout", r"expected section\.key=value, .* got 'model\.dropout'"),
    ],
)
def test_a_wrong_setting_says_what_was_expected_and_what_came(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(overrides=[override])


def test_all_problems_of_all_sources_come_in_one_error(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("seed = 3\n[model]\nnum_layers = 0\n", "utf-8")
    with pytest.raises(ConfigError, match="The configuration is not usable") as error:
        load_config(path, ["model.num_heads=5", "speed"], {"text": {"tokens": 4}})
    lines = str(error.value).splitlines()[1:]
    assert len(lines) == 5
    for number, part in enumerate(
        [
            "'seed' must be a section with keys, got the value 3",
            "got 'speed'",
            "unknown key text.tokens",
            "model.num_layers must be from 1 to 48, got 0",
            "got 5 heads for 64",
        ],
        start=1,
    ):
        assert sum(part in line for line in lines) == 1, part
        assert lines[number - 1].startswith(f"  {number}. ")


@pytest.mark.parametrize("content", [b"[model\n", b"\xff\xfe"])
def test_an_unreadable_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"run\.toml cannot be read as TOML"):
        load_config(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml cannot be read as TOML: .*No such file"):
        load_config(tmp_path / "absent.toml")


def test_floats_need_no_digit_on_both_sides_of_the_point():
    config = load_config(overrides=["model.dropout=.3", "training.weight_decay=0."])
    assert (config.model.dropout, config.training.weight_decay) == (0.3, 0.0)


def test_toml_keeps_every_character(tmp_path):
    config = load_config(overrides=["data.user_column=user😀"])
    path = tmp_path / "c.toml"
    path.write_text(to_toml(config), encoding="utf-8")
    assert load_config(path) == config
