"""What validation chooses after training."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from trecs.training.choices import choose_neighbour_weights, raise_new_items


def model_with(bias):
    embedding = SimpleNamespace(embeddings=tf.Variable([[bias], [7.0], [8.0]]))
    return SimpleNamespace(
        item_tower=SimpleNamespace(id_bias=embedding),
        chosen=[tf.Variable(0.0) for _ in range(3)],
    )


def bias_of(model):
    return model.item_tower.id_bias.embeddings.numpy()[:, 0]


@pytest.mark.parametrize(("cost", "raised_by"), [(0.0, 0.0), (0.05, 0.5), (0.1, 1.0), (0.5, 3.0)])
def test_new_items_are_raised_as_far_as_the_cost_pays_for(cost, raised_by):
    model = model_with(2.0)
    # A raise of 1 costs a tenth of the score.
    found = raise_new_items(model, lambda: 0.5 * (1.2 - 0.1 * bias_of(model)[0]), cost + 1e-6)
    assert found == raised_by
    np.testing.assert_allclose(bias_of(model), [2.0 + raised_by, 7.0, 8.0])


def test_a_score_that_rises_again_does_not_raise_past_the_fall():
    model = model_with(0.0)
    scores = {0.0: 1.0, 0.5: 1.0, 1.0: 0.5, 1.5: 1.0}
    raise_new_items(model, lambda: scores[float(bias_of(model)[0])], 0.0)
    assert bias_of(model)[0] == 0.5


def test_the_weights_that_validate_best_stay_the_first_of_equals():
    model = model_with(0.0)

    def validate():
        transition, ease, decay = (float(variable) for variable in model.chosen)
        return min(transition, 0.5) + (ease > 0) * (decay < 0.95) - 0.01 * abs(ease - 8)

    choose_neighbour_weights(model, validate)
    assert [float(variable) for variable in model.chosen] == pytest.approx([0.5, 8.0, 0.9])


def test_neighbours_that_do_not_help_weigh_nothing():
    model = model_with(0.0)
    choose_neighbour_weights(model, lambda: -sum(float(v) for v in model.chosen[:2]))
    assert [float(variable) for variable in model.chosen] == pytest.approx([0.0, 0.0, 0.98])
