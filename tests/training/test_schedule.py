"""The learning rate over the steps is that of Keras' schedule."""

import keras
import numpy as np
import pytest

from trecs.training.rates import WarmupCosine


@pytest.mark.parametrize("warmup_steps", [0, 1, 7])
def test_it_is_keras_cosine_decay_without_the_branch(warmup_steps):
    ours = WarmupCosine(0.02, warmup_steps, 30, 0.1)
    theirs = keras.optimizers.schedules.CosineDecay(
        0.0, 30, alpha=0.1, warmup_target=0.02, warmup_steps=warmup_steps
    )
    steps = range(45)
    np.testing.assert_allclose(
        [float(ours(step)) for step in steps], [float(theirs(step)) for step in steps], rtol=1e-6
    )
    assert float(ours(warmup_steps)) == pytest.approx(0.02)


def test_training_of_no_step_has_a_rate():
    assert float(WarmupCosine(0.02, 0, 0, 0.1)(0)) == pytest.approx(0.02)
