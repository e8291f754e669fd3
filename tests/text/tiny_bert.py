"""A tiny BERT whose vocabulary is written by hand, without dropout."""

import keras
import keras_nlp

from trecs.text.bert import Bert

VOCABULARY = (
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *"abcdefghijklmnopqrstuvwxyz",
    "play",
    "##ing",
    "##er",
    "##s",
)


def tiny_bert(num_layers=1, max_tokens=16, seed=2):
    """8 wide, 35 pieces."""
    keras.utils.set_random_seed(seed)
    backbone = keras_nlp.models.BertBackbone(
        vocabulary_size=len(VOCABULARY),
        num_layers=num_layers,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=max_tokens,
        dropout=0.0,
    )
    # Larger weights than a fresh BERT's, so that attention matters.
    for weight in backbone.trainable_variables:
        weight.assign(weight + 0.3 * keras.random.normal(weight.shape))
    return Bert(backbone, keras_nlp.models.BertTokenizer(list(VOCABULARY), lowercase=True))


def tokens_of(*pieces):
    """Their numbers."""
    return [VOCABULARY.index(piece) for piece in pieces]
