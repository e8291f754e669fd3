"""The learning rate over the steps."""

import pytest

from trecs.training.rates import warmup_cosine


def test_it_rises_to_the_peak_and_falls_to_the_floor_counted_from_the_end_of_the_warm_up():
    rate = warmup_cosine(0.02, 4, 30, 0.1)
    steps = {0: 0.0, 2: 0.01, 4: 0.02, 19: 0.011, 34: 0.002, 50: 0.002}
    assert [float(rate(step)) for step in steps] == pytest.approx(list(steps.values()))


def test_training_of_no_step_has_a_rate():
    assert float(warmup_cosine(0.02, 0, 0, 0.1)(0)) == pytest.approx(0.02)
