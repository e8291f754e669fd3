"""`trecs pretrain`: from corpora to a preset that `trecs train --bert` takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from trecs.config import Config
from trecs.data.loading import load_data
from trecs.data.split_choice import make_split
from trecs.errors import ConfigError, DataError, UsageError
from trecs.text.bert import Bert, load_bert
from trecs.text.corpus import Corpus, data_corpora, text_file_corpus
from trecs.text.held_out import HeldOut
from trecs.text.masking import Masker, MaskingRule
from trecs.text.pretraining_model import PretrainingModel
from trecs.text.rows import cut_rows
from trecs.training.pretraining import fit_pretraining, pretraining_optimizer
from trecs.training.pretraining_batches import PretrainingPlan
from trecs.training.pretraining_folder import (
    CHECKPOINTS,
    START,
    claim,
    finish,
    keep_start,
    write_report,
)
from trecs.training.strategy import make_strategy, worker_folder

_TEXT_SUFFIXES = (".txt", ".text")


def pretrain(
    sources: Sequence[str | Path],
    out: str | Path,
    config: Config | None = None,
    *,
    bert: str = "",
    items: str | Path | None = None,
    verbose: int = 1,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Pretrain a BERT on item texts, users' histories and text files, and write it as a preset.

    What was killed continues when the same call is made again; what is finished is not done again.

    Args:
      sources: names or paths of data sets, as for `trecs.load_data`, and text files (`.txt`).
      out: folder of the preset.
      config: its sections `pretraining`, `data`, `split`, and `training.seed` and `.strategy`.
      bert: the BERT to start from, as for `trecs.text.bert.load_bert`; "" is a new one with a
        vocabulary of its own.
      items: items file of the sources that are paths of logs.
      verbose: 0 silent, 1 a progress bar, 2 a line an epoch.
      say: takes lines about what was read.

    Returns:
      What `pretraining.json` in the folder holds: `settings`, `corpora`, and by corpus
      `held_out`, with `before` and `after` as in `trecs.text.held_out.HeldOut.losses`.

    Raises:
      ConfigError: the folder holds another pretraining, or a BERT cannot be had.
      UsageError: no sources, or the folder holds something else.
      DataError: a source cannot be read.
    """
    config = config or Config()
    # First of all: a multi-worker strategy must be made before TensorFlow computes anything.
    strategy = make_strategy(config.training.strategy)
    folder = worker_folder(Path(out), strategy)
    settings = config.pretraining
    if settings.batch_rows % strategy.num_replicas_in_sync:
        raise ConfigError(
            f"pretraining.batch_rows must be a multiple of the {strategy.num_replicas_in_sync}"
            f" replicas, got {settings.batch_rows}"
        )
    keras.utils.set_random_seed(config.training.seed)
    # What is resumed must end with the weights of what was not interrupted.
    tf.config.experimental.enable_op_determinism()
    corpora = read_corpora(sources, items, config, say)
    report = claim(folder, config, bert, corpora)
    if "after" in report:
        return report
    with strategy.scope():
        keep_start(folder / START, config, bert, corpora)
        # Again, since making a new BERT draws random numbers, which a resume does not do.
        keras.utils.set_random_seed(config.training.seed)
        start = load_bert(str(folder / START))
        model = PretrainingModel(start, settings.mlm_weight, settings.causal_weight)
        model.compile(optimizer=pretraining_optimizer(settings))
        _train(model, start, corpora, folder, config, report, verbose)
    finish(start, folder, report)
    return report


def read_corpora(
    sources: Sequence[str | Path],
    items: str | Path | None,
    config: Config,
    say: Callable[[str], None],
) -> list[Corpus]:
    """The corpora of data sets and text files; histories are of the split's training events.

    Raises:
      UsageError: no sources.
      DataError: a source cannot be read.
    """
    if not sources:
        raise UsageError("pretraining needs a corpus at least, got none: name a data set or a file")
    share = config.pretraining.held_out_share
    corpora = []
    for source in sources:
        path = Path(source)
        if path.suffix in _TEXT_SUFFIXES and path.is_file():
            corpora.append(text_file_corpus(path, share))
        else:
            of_path = items if path.exists() and not path.is_dir() else None
            dataset, lines = load_data(source, of_path, config)
            for line in lines:
                say(line)
            split = make_split(config, dataset.log)
            corpora += data_corpora(path.name, dataset, split.train, share)
    for corpus in corpora:
        say(f"{corpus.name}: {len(corpus.train):,} texts, {len(corpus.held_out):,} held out")
    return corpora


def _train(
    model: PretrainingModel,
    start: Bert,
    corpora: Sequence[Corpus],
    folder: Path,
    config: Config,
    report: dict[str, Any],
    verbose: int,
) -> None:
    """Measure, train, measure; the report takes the figures."""
    settings = config.pretraining
    masker = Masker(start, MaskingRule(settings.mask_rate, settings.whole_words))
    width = settings.max_tokens - 2
    held_out = {c.name: cut_rows(start, c.held_out.tolist(), width) for c in corpora}
    train = {c.name: cut_rows(start, c.train.tolist(), width) for c in corpora}
    for part, of in (("held-out text", held_out), ("training text", train)):
        if empty := [name for name, rows in of.items() if len(rows) == 0]:
            raise DataError(f"no {part} of {empty[0]} has a token that the BERT knows")
    chosen = {name: rows.first(settings.held_out_rows) for name, rows in held_out.items()}
    measured = HeldOut(model, chosen, masker)
    if "before" not in report:
        report["before"] = measured.losses()
        write_report(folder, report)
    plan = PretrainingPlan(
        list(train.values()),
        masker,
        settings.batch_rows,
        config.training.seed,
        tf.distribute.get_strategy().num_replicas_in_sync,
    )
    checkpoints = folder / CHECKPOINTS
    fit_pretraining(model, plan, checkpoints, settings.steps, settings.checkpoint_steps, verbose)
    report["after"] = measured.losses()
