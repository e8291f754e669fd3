"""The folder of a pretraining: who may write to it, where it starts from, what it ends as."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trecs.config import Config
from trecs.errors import ConfigError, UsageError
from trecs.text.bert import Bert, load_bert
from trecs.text.corpus import Corpus
from trecs.text.fresh import fresh_bert, save_preset, word_piece_tokenizer

REPORT = "pretraining.json"
"""Of a pretrained preset: settings, corpora, held-out losses before and after."""
START, CHECKPOINTS = "start", "checkpoints"
_PART = "part"


def keep_start(folder: Path, config: Config, bert: str, corpora: Sequence[Corpus]) -> None:
    """Write the preset to start from, so that a resume starts from the same; once a folder.

    Raises:
      ConfigError: it cannot be had, or does not read rows as long as the settings ask for.
    """
    if folder.exists():
        return
    settings = config.pretraining
    if bert:
        start = load_bert(bert, exact=False)
    else:
        texts = [text for corpus in corpora if not corpus.repeats_items for text in corpus.train]
        tokenizer = word_piece_tokenizer(texts, settings.vocabulary_size, settings.uncased)
        start = fresh_bert(
            tokenizer,
            settings.num_layers,
            settings.num_heads,
            settings.hidden_dim,
            settings.max_tokens,
        )
    longest = start.backbone.max_sequence_length
    if settings.max_tokens > longest:
        raise ConfigError(
            f"pretraining.max_tokens = {settings.max_tokens}, but {bert} reads {longest} tokens at"
            f" most: give {longest} or less"
        )
    part = folder.with_name(_PART)
    shutil.rmtree(part, ignore_errors=True)
    save_preset(start, str(part))
    part.rename(folder)


def claim(folder: Path, config: Config, bert: str, corpora: Sequence[Corpus]) -> dict[str, Any]:
    """Claim a folder for settings and texts, or find it claimed by the same.

    Returns:
      The report so far: `settings`, `corpora`, `corpora_sha256`, then `before`, then `after`.

    Raises:
      ConfigError: the folder holds a pretraining with other settings or texts.
      UsageError: the folder holds something else.
    """
    digest = hashlib.sha256()
    for corpus in corpora:
        for texts in (corpus.train, corpus.held_out):
            digest.update("\0".join(texts.tolist()).encode())
    settings = {**asdict(config.pretraining), "seed": config.training.seed, "bert": bert}
    names = {c.name: {"texts": len(c.train), "held_out": len(c.held_out)} for c in corpora}
    report = {"settings": settings, "corpora": names, "corpora_sha256": digest.hexdigest()}
    if (folder / REPORT).exists():
        held = json.loads((folder / REPORT).read_text("utf-8"))
        if any(held[key] != value for key, value in report.items()):
            raise ConfigError(
                f"{folder} holds a pretraining with other settings or texts, got"
                f" {json.dumps(settings)} where {json.dumps(held['settings'])} was expected. Give"
                " another --out, or delete the folder"
            )
        return dict(held)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"--out must be a new or empty folder, or a pretraining's, got {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    write_report(folder, report)
    return report


def finish(bert: Bert, folder: Path, report: dict[str, Any]) -> None:
    """Write the preset and the report of what is finished; remove what a resume would need."""
    _write_preset(bert, folder)
    write_report(folder, report)
    for left in (START, CHECKPOINTS):
        shutil.rmtree(folder / left)


def _write_preset(bert: Bert, folder: Path) -> None:
    part = folder / _PART
    shutil.rmtree(part, ignore_errors=True)
    save_preset(bert, str(part))
    for path in sorted(part.iterdir()):
        target = folder / path.name
        shutil.rmtree(target, ignore_errors=True)
        path.replace(target)
    part.rmdir()


def write_report(folder: Path, report: dict[str, Any]) -> None:
    """Write `pretraining.json`, whole or not at all."""
    temporary = folder / f"{REPORT}.part"
    temporary.write_text(json.dumps(report, indent=2, ensure_ascii=False), encoding="utf-8")
    os.replace(temporary, folder / REPORT)
