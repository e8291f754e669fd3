"""The settings, one dataclass a section, one docstring a field."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DataConfig:
    """Where the columns of the user's files are."""

    user_column: str = ""
    """Column of the user id. Empty: found by its usual names."""
    item_column: str = ""
    """Column of the item id, in the events and in the items file. Empty: found by its name."""
    timestamp_column: str = ""
    """Column of the time. Empty: found by its usual names."""
    rating_column: str = ""
    """Column of the rating. Empty: found by its usual names; a log needs none."""
    timestamp_unit: str = ""
    """s, ms, us or ns of a numeric timestamp. Empty: told by its size, an error where it cannot."""
    text_columns: tuple[str, ...] = ()
    """Columns of the items file that are text for the BERT. Empty: found by name and content."""
    category_columns: tuple[str, ...] = ()
    """Columns of the items file that are categories. Empty: found by name and content."""
    user_text_columns: tuple[str, ...] = ()
    """Columns of the users file that are text for the BERT. Empty: found by name and content."""


@dataclass(frozen=True)
class SplitConfig:
    """Which events train, which choose, which judge."""

    kind: str = "temporal"
    """`temporal`: train before t1, validate in [t1, t2), test from t2 on. `leave-last-out`: each
    user's last event tests, the one before validates; comparable with papers, leaks other users'
    future. `rolling-origin`: one of several temporal splits whose training part grows, without the
    events after its test window; `trecs cross-validate` goes through them."""
    train_quantile: float = 0.8
    """t1 as a quantile of the event times (temporal only)."""
    test_quantile: float = 0.9
    """t2 as a quantile of the event times (temporal only)."""
    num_origins: int = 3
    """Splits (rolling-origin only)."""
    origin: int = 1
    """Which of them, from 1 (rolling-origin only)."""
    refit: str = "none"
    """Which held-out events train too, `none`, `validation` or `all`; `trecs refit` sets it."""
    ties: str = "auto"
    """May a target see the user's other events of the same second that come before it in the file?
    `strict`: no. `order`: yes. `auto`: strict for temporal, order for leave-last-out, where the
    literature does so."""


@dataclass(frozen=True)
class TextConfig:
    """The BERT of the item tower."""

    preset: str = "minilm"
    """`minilm` (all-MiniLM-L6-v2, packaged), a keras-nlp preset name or handle, a directory in
    keras-nlp's or Hugging Face's format, or `none`."""
    max_tokens: int = 64
    """Tokens kept of each text; enough for titles and short descriptions, cost grows with it."""
    tuning: str = "frozen"
    """What training changes in the BERT. `frozen`: nothing, each text is encoded once for all.
    `lora`: matrices of rank 8 beside the attention's queries and values. `last-n`: its last
    `tuned_layers` layers. `full`: all. Each step then encodes the distinct texts of its items."""
    tuned_layers: int = 2
    """Layers that `last-n` tunes."""
    learning_rate: float = 5e-5
    """Peak learning rate of a tuned BERT, with the schedule of `training.learning_rate`; `lora`
    takes ten times as much, since its matrices start from nothing."""


@dataclass(frozen=True)
class ModelConfig:
    """The retrieval model."""

    embedding_dim: int = 64
    """Width D of the item vectors, the LSTM states and the queries."""
    num_layers: int = 2
    """Transformer decoder layers of the user tower."""
    num_heads: int = 2
    """Attention heads of each decoder layer; divides embedding_dim."""
    dropout: float = 0.3
    """Dropout rate inside the user tower."""
    item_id_dropout: float = 0.1
    """Share of items whose id embedding is hidden in a step, so that new items work from text."""
    new_item_cost: float = 0.005
    """Share of validation NDCG@10 that may be given up so that items which did not train come up:
    after training their common bias is raised as far as this pays for, by 3 at most."""
    user_id_dropout: float = 0.5
    """Share of users whose id embedding is hidden in a step, so that new users work."""
    history_len: int = 50
    """Newest events of a user that the model reads."""
    loss: str = "auto"
    """`full` softmax over the catalogue, `sampled` (the TFRS retrieval task: in-batch and uniform
    negatives, logQ), or `auto`: full up to full_softmax_max_items."""
    full_softmax_max_items: int = 10_000
    """Largest catalogue for which `auto` takes the full softmax: a step holds
    batch_events x items scores in memory several times."""
    num_uniform_negatives: int = 1024
    """Uniform negatives added to the in-batch ones in the sampled loss."""


@dataclass(frozen=True)
class TrainingConfig:
    """The optimisation and where it runs."""

    epochs: int = 0
    """Most epochs; early stopping usually ends before. 0: by the size of the log, from 25 for up to
    240,000 training events down to 4 for 1.5 million and more, about 6 million events in all."""
    patience: int = 4
    """Epochs without a better validation NDCG@10 after which training stops."""
    batch_events: int = 3072
    """Target events of one step over all replicas."""
    learning_rate: float = 3e-3
    """Peak learning rate of AdamW, after warm-up; decays to a tenth by a cosine."""
    warmup_steps: int = 50
    """Steps of linear warm-up from zero."""
    weight_decay: float = 0.01
    """Decoupled weight decay of AdamW."""
    seed: int = 1
    """Seed of initial weights, dropout, batch order and negatives."""
    strategy: str = "auto"
    """`auto` (mirrored where there are several GPUs), `mirrored`, `one-device`, `multi-worker`."""
    precision: str = "auto"
    """`bfloat16`: the full softmax multiplies queries and items in it, with float32 weights,
    towers (TF32 on GPUs that have it) and gradient sums. `float32`: nothing does. `auto`: bfloat16
    on GPUs."""
    validation_targets: int = 2000
    """Validation targets scored after each epoch: a fixed, seeded sample. 0: all."""
    checkpoint_steps: int = 500
    """Steps between checkpoints inside an epoch; each epoch's end is one too."""
    tensorboard: bool = False
    """Write TensorBoard logs to RUN/tensorboard."""
    wandb_project: str = ""
    """Weights & Biases project to log to (extra `wandb`). Empty: off."""


@dataclass(frozen=True)
class RatingConfig:
    """The rating head, which trains after the retrieval model where the log has ratings."""

    loss: str = "auto"
    """`mse`; `cross-entropy` over the distinct ratings, whose expected value is predicted; `none`:
    no head. `auto`: mse where the training ratings have 2 to 100 distinct values, else none."""
    epochs: int = 0
    """Passes over the training ratings. 0: by their number, from 6 for up to 100,000 down to 2 for
    more than 200,000."""


@dataclass(frozen=True)
class EvaluationConfig:
    """How rankings are judged, and what serving leaves out."""

    seen_filter: str = "auto"
    """`on`: items of the user's history are never recommended. `off`: they may be. `auto`: off
    where more than a tenth of the training events repeat an item of their user."""


@dataclass(frozen=True)
class ServingConfig:
    """How an exported model looks its candidates up; `trecs export --set` may change it."""

    index: str = "auto"
    """`exact`: every item is scored. `inverted-file`: the items of the most promising cells are.
    `auto`: exact up to 200,000 items."""
    probes: int = 0
    """Cells of the inverted file that a request scores. 0: the fewest that reach min_recall."""
    storage: str = "float32"
    """Of an inverted file's vectors. `bfloat16` halves its memory and rounds to 8 bits: what that
    costs is part of the recall that is measured."""
    min_recall: float = 0.98
    """Share of the exact top 10 that the inverted file must find for known users at the export,
    which is refused otherwise."""


@dataclass(frozen=True)
class PretrainingConfig:
    """`trecs pretrain`; `training.seed`, `training.strategy` and `split` hold there too."""

    steps: int = 2000
    """Optimiser steps in all."""
    batch_rows: int = 64
    """Rows of tokens in a step, over all replicas."""
    max_tokens: int = 64
    """Tokens of a row, [CLS] and [SEP] included; longer texts become several rows."""
    mask_rate: float = 0.15
    """Share of tokens, or of words, that the masked loss predicts (Devlin et al. 2019)."""
    whole_words: bool = True
    """Mask all pieces of a word or none; single pieces are often told by their neighbours."""
    mlm_weight: float = 1.0
    """Weight of the masked-language-model loss. 0: not computed."""
    causal_weight: float = 1.0
    """Weight of the loss of the next token under a causal mask. 0: not computed."""
    learning_rate: float = 5e-4
    """Peak learning rate of AdamW, after warm-up; decays to a tenth by a cosine. For a BERT that is
    already trained, take a tenth."""
    warmup_steps: int = 100
    """Steps of linear warm-up from zero."""
    weight_decay: float = 0.01
    """Decoupled weight decay of AdamW, on all but biases and normalisations."""
    held_out_share: float = 0.05
    """Share of each corpus' texts that are not trained on, and measured before and after."""
    held_out_rows: int = 1000
    """Most held-out rows of a corpus that are measured."""
    checkpoint_steps: int = 500
    """Steps between checkpoints."""
    vocabulary_size: int = 8000
    """Largest WordPiece vocabulary of a BERT from nothing."""
    uncased: bool = True
    """Whether a BERT from nothing ignores case and accents."""
    num_layers: int = 2
    """Transformer layers of a BERT from nothing."""
    num_heads: int = 2
    """Attention heads of each layer of a BERT from nothing; divides hidden_dim."""
    hidden_dim: int = 128
    """Width of a BERT from nothing; the feed-forward layers are four times as wide."""
