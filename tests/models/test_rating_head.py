"""The rating head reads what it may, attends, and keeps its weights in a file."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from trecs.data.dataset import Dataset
from trecs.data.splits import temporal
from trecs.errors import ConfigError, DataError
from trecs.features.items import build_item_table
from trecs.features.vocabulary import fit_vocabulary
from trecs.models.item_tensors import ItemTensors
from trecs.models.ranking_data import fit_scale
from trecs.models.ranking_store import load_rating_head, save_rating_head
from trecs.models.rating_factors import UNKNOWN_FACTOR_ROW, no_samples
from trecs.settings import RatingConfig
from trecs.training.rating import RatingPlan, fit_rating_head, predict_rows, score_batch
from trecs.training.rating_batches import rating_batches, rating_rows
from trecs.training.rating_setup import make_rating_head, rating_epochs, rating_loss, user_rows


def some_factors(head):
    """Factors that differ from item to item, of every item but the last."""
    dice = np.random.default_rng(0)
    rows = np.minimum(np.arange(head.sizes.num_ids) + 1, head.sizes.num_factor_rows - 1)
    rows[-1] = UNKNOWN_FACTOR_ROW
    samples = no_samples(head.sizes.num_factor_rows)
    drawn = {
        name: dice.normal(0, 0.3, getattr(samples, name).shape) for name in ("loading", "link")
    }
    return samples._replace(**drawn), rows.astype(np.int32), (rows > 0) / np.float32(5)


class Ratings:
    """The small world with a head whose weights are all at work."""

    def __init__(self, dataset: Dataset, loss: str = "mse") -> None:
        log, self.split = dataset.log, temporal(dataset.log)
        train = self.split.train
        self.log, self.vocabulary = log, fit_vocabulary(dataset, train)
        text = np.random.default_rng(0).normal(size=(dataset.num_items, 4)).astype(np.float32)
        self.items = build_item_table(dataset, self.vocabulary, text)
        self.scale = fit_scale(log.rated(train)[1])
        keras.utils.set_random_seed(1)
        self.head = make_rating_head(loss, self.scale, log, train, self.vocabulary, self.items)
        weights = self.head.trainable_weights
        for number, weight in enumerate(weights):
            shape = weight.shape
            wave = np.sin(np.arange(int(np.prod(shape))) + number).reshape(shape)
            weight.assign(weight + 0.1 * wave)
        self.head.set_factors(*some_factors(self.head))

    def rows(self, targets, log=None, readable=None):
        log = self.log if log is None else log
        readable = np.arange(log.num_events) if readable is None else readable
        users = user_rows(log, self.vocabulary)
        rows = self.items.row_of_code
        return rating_rows(log, rows, users, self.scale, readable, np.asarray(targets))

    def predict(self, targets, log=None):
        return predict_rows(self.head, ItemTensors(self.items), self.rows(targets, log))


@pytest.fixture(scope="module", params=["mse", "cross-entropy"])
def ratings(request, world):
    return Ratings(world, request.param)


def test_changing_ratings_at_or_after_the_target_moves_nothing(ratings):
    log = ratings.log
    target = ratings.split.test[:1]
    later = log.timestamp_s >= log.timestamp_s[target[0]]
    changed = replace(log, rating=np.where(later, 6 - log.rating, log.rating))
    before = np.flatnonzero(~later & (log.user == log.user[target[0]]))
    assert before.size
    assert not np.array_equal(changed.rating, log.rating)
    np.testing.assert_array_equal(ratings.predict(target), ratings.predict(target, changed))
    other = log.rating.copy()
    other[before] = 6 - other[before]
    assert ratings.predict(target, replace(log, rating=other)) != ratings.predict(target)


def test_training_on_other_futures_gives_the_same_head(world):
    split = temporal(world.log)
    heads = []
    for flip in (False, True):
        rating = world.log.rating.copy()
        if flip:
            rating[split.train[-1] + 1 :] = 6 - rating[split.train[-1] + 1 :]
        found = Ratings(replace(world, log=replace(world.log, rating=rating)))
        plan = RatingPlan(found.rows(split.train, readable=split.train), 1, seed=1)
        keras.utils.set_random_seed(1)
        fit_rating_head(found.head, ItemTensors(found.items), plan)
        heads.append(found.head.get_weights())
    for ours, theirs in zip(*heads, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_decoder_attends_to_the_visible_events_alone(ratings):
    _, batch = next(iter(rating_batches(ratings.rows(ratings.split.test[-6:]), 6)))
    batch = {name: tf.constant(value) for name, value in batch.items()}
    rating = tf.where(tf.math.is_finite(batch["history_rating"]), batch["history_rating"], 3.0)
    with tf.GradientTape() as tape:
        tape.watch(rating)
        # Without the sums, the ratings reach the score through the decoder alone.
        batch["history_rating"] = rating
        score, _ = score_batch(ratings.head, ItemTensors(ratings.items), batch)
        one = score[0, 0]
    gradient = tape.gradient(one, rating).numpy()
    visible = batch["visible"].numpy()[0, 0]
    assert visible.any()
    assert (gradient[0][visible] != 0).all()
    assert (gradient[0][~visible] == 0).all()
    assert (gradient[1:] == 0).all()


def test_a_prediction_does_not_depend_on_what_else_is_asked(ratings):
    targets = ratings.split.test
    together = ratings.predict(targets)
    order = ratings.rows(targets).targets["event"]
    alone = [ratings.predict([event])[0] for event in order[:5]]
    np.testing.assert_allclose(together[:5], alone, atol=1e-5)


def test_predictions_stay_in_the_range_of_the_ratings(ratings):
    predicted = ratings.predict(ratings.split.test)
    assert predicted.min() >= 1
    assert predicted.max() <= 5


def test_training_lowers_the_loss_and_beats_the_mean_where_items_differ(world):
    # Each item's rating is its own, but for the user's taste for odd ones.
    rating = (1 + world.log.item % 5).astype(np.float32)
    found = Ratings(replace(world, log=replace(world.log, rating=rating)))
    plan = RatingPlan(found.rows(found.split.train, readable=found.split.train), 40, seed=1)
    losses = fit_rating_head(found.head, ItemTensors(found.items), plan)
    assert losses[-1] < 0.5 * losses[0]
    rows = found.rows(found.split.test)
    error = predict_rows(found.head, ItemTensors(found.items), rows) - rows.targets["rating"]
    assert np.sqrt(np.mean(error**2)) < 0.7 * found.scale.deviation


def test_it_trains_on_a_log_that_is_rated_in_part(world):
    rating = world.log.rating.copy()
    rating[::3] = np.nan
    log = replace(world.log, rating=rating)
    found = Ratings(replace(world, log=log))
    train = found.split.train
    assert rating_loss(RatingConfig(), log, train) == "mse"
    rows = found.rows(log.rated(train)[0], readable=train)
    assert rows.num_targets < len(train)
    losses = fit_rating_head(found.head, ItemTensors(found.items), RatingPlan(rows, 5, seed=1))
    assert losses[-1] < losses[0]
    assert np.isfinite(found.predict(found.split.test)).all()


def test_a_stored_head_predicts_the_same(ratings, tmp_path):
    path = tmp_path / "rating_head.npz"
    save_rating_head(ratings.head, path)
    loaded = load_rating_head(path, ratings.items)
    rows = ratings.rows(ratings.split.test)
    np.testing.assert_array_equal(
        predict_rows(loaded, ItemTensors(ratings.items), rows), ratings.predict(ratings.split.test)
    )


def test_a_head_for_other_items_is_an_error(ratings, tmp_path):
    path = tmp_path / "rating_head.npz"
    save_rating_head(ratings.head, path)
    wider = replace(ratings.items, text=np.zeros((len(ratings.items.text), 9), np.float32))
    with pytest.raises(DataError, match="has other sizes"):
        load_rating_head(path, wider)


def test_the_loss_is_chosen_by_the_training_ratings(world):
    log, train = world.log, np.arange(100)
    assert rating_loss(RatingConfig(), log, train) == "mse"
    assert rating_loss(RatingConfig(loss="none"), log, train) == "none"
    assert rating_loss(RatingConfig(), replace(log, rating=None), train) == "none"
    same = replace(log, rating=np.full(log.num_events, 3.0, np.float32))
    assert rating_loss(RatingConfig(), same, train) == "none"
    weights = replace(log, rating=np.arange(log.num_events, dtype=np.float32))
    assert rating_loss(RatingConfig(), weights, np.arange(200)) == "none"
    with pytest.raises(ConfigError, match="200"):
        rating_loss(RatingConfig(loss="cross-entropy"), weights, np.arange(200))
    with pytest.raises(ConfigError, match="no training event has one"):
        rating_loss(RatingConfig(loss="mse"), replace(log, rating=None), train)


def test_epochs_fall_with_the_number_of_ratings():
    numbers = (1000, 100_000, 300_000, 10_000_000)
    assert [rating_epochs(RatingConfig(), n) for n in numbers] == [6, 6, 2, 2]
    assert rating_epochs(RatingConfig(epochs=7), 1000) == 7
