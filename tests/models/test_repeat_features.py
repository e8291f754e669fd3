"""What the repeat term reads of an item that the user has had."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from trecs.features.repeats import DECAY_DAYS, DECAY_EVENTS, HOUR_DAYS
from trecs.models.repeats import NUM_REPEAT_FEATURES, OwnItems, fading_terms, repeat_features

HOUR_S, DAY_S = 3_600, 86_400


def features(ages_s, later_events, since_s=0, events_since=0, habits=(0.0, 0.0, 0.0)):
    """Of one item, had at such seconds and events before the newest time."""
    ages, events = np.array(ages_s, np.int64), np.array(later_events, np.int32)
    sums = tf.reduce_sum(fading_terms(tf.constant(ages), tf.constant(events)), axis=0)
    own = OwnItems(
        query=tf.constant([0]),
        row=tf.constant([2]),
        count=tf.constant([len(ages)]),
        since_s=tf.constant([since_s], tf.int64),
        interval_s=tf.constant([float(ages.max() / max(len(ages) - 1, 1))]),
        sums=sums[None],
        events_since=tf.constant([events_since]),
    )
    found = repeat_features(own, tf.constant([habits], tf.float32)).numpy()
    assert found.shape == (1, NUM_REPEAT_FEATURES)
    return found[0]


def test_occurrences_fade_with_their_age_at_the_request():
    ages_s, since_s, events_since = np.array([9 * DAY_S, 2 * DAY_S, 0]), 5 * DAY_S, 7
    found = features(ages_s, [30, 4, 0], since_s, events_since)
    days, events = (ages_s + since_s) / DAY_S, np.array([30, 4, 0]) + events_since
    expected = [np.exp(-days / scale).sum() for scale in DECAY_DAYS]
    expected += [np.exp(-events / scale).sum() for scale in DECAY_EVENTS]
    np.testing.assert_allclose(found[9:14], np.log(0.01 + np.array(expected)), rtol=1e-5)


def test_the_last_column_counts_what_was_had_at_the_requests_time_of_the_day():
    # Had at one time of the day on three days; asked at that time, 3 and 12 hours off it.
    ages_s = [2 * DAY_S, DAY_S, 0]
    for off_s in (0, 3 * HOUR_S, 12 * HOUR_S):
        since_s = 4 * DAY_S + off_s
        days = (np.array(ages_s) + since_s) / DAY_S
        nearness = np.cos(np.pi * off_s / DAY_S) ** 8
        expected = nearness * np.exp(-days / HOUR_DAYS).sum()
        found = features(ages_s, [2, 1, 0], since_s)[14]
        np.testing.assert_allclose(found, np.log(0.01 + expected), atol=1e-3)


def test_an_item_is_due_by_its_own_interval_where_the_user_has_had_it_once():
    habits = (np.log(6.5), 0.8, -0.2)
    once = features([0], [0], 6 * DAY_S, habits=habits)
    np.testing.assert_allclose(once[15:], [0, 0, 0, 0.8, -0.2], atol=1e-6)
    # Four times, 2 days apart: three intervals of the user's beside two of the item's.
    often = features(np.array([6, 4, 2, 0]) * DAY_S, [3, 2, 1, 0], 10 * DAY_S, habits=habits)
    mixed = (2 * np.log(6.5) + 3 * np.log(2.5)) / 5
    expected = [np.log(10.5 / 6.5), np.log(10.5) - mixed, np.log(10.5) - mixed, 0.8, -0.2]
    np.testing.assert_allclose(often[15:], expected, rtol=1e-5)
    # As far as it is due by the user's own interval alone.
    np.testing.assert_allclose(often[5], np.log(10.5 / 2.5), rtol=1e-5)
