"""The audit of a large planted log finds exactly what was planted."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import trecs
from trecs.config import Config
from trecs.data import audit_warnings
from trecs.data.audit import audit
from trecs.data.audit_holdout import Temporal
from trecs.data.audit_text import to_text
from trecs.data.dataset import align
from trecs.data.log import log_from_frame
from trecs.settings import ModelConfig

DAY_S = 86_400
NUM_USERS, NUM_EACH = 500, 20
NUM_TIES, NUM_LAST_TIES, NUM_REPEATS = 1_234, 77, 2_350
START_S = 1_600_000_000 - 1_600_000_000 % DAY_S


def planted_frame(seed=3):
    """20 events a user, a day apart, on items of their own; then ties and repeats are planted."""
    rng = np.random.default_rng(seed)
    user, place = np.divmod(np.arange(NUM_USERS * NUM_EACH), NUM_EACH)
    time_s = START_S + place * DAY_S + user
    item = np.arange(user.size)
    # At odd places only, so that no tie has more than two events.
    last = rng.choice(np.flatnonzero(place == NUM_EACH - 1), NUM_LAST_TIES, replace=False)
    others = np.flatnonzero((place % 2 == 1) & (place < NUM_EACH - 1))
    tied = np.concatenate([last, rng.choice(others, NUM_TIES - NUM_LAST_TIES, replace=False)])
    time_s[tied] = time_s[tied - 1]
    # The item of four events before, at some of the places 8 to 11: two days before at least.
    repeats = rng.choice(np.flatnonzero((place >= 8) & (place < 16)), NUM_REPEATS, replace=False)
    for k in np.sort(repeats):
        item[k] = item[k - 4]
    frame = pd.DataFrame({"user_id": user, "item_id": item, "timestamp": time_s})
    return frame.sample(frac=1, random_state=seed)


@pytest.fixture(scope="module")
def planted():
    log, _ = log_from_frame(planted_frame())
    return audit(align(log, None))


def test_the_counts_are_those_planted(planted):
    size = planted.size
    assert (size.num_events, size.num_users) == (10_000, NUM_USERS)
    assert size.num_items == 10_000 - NUM_REPEATS
    assert size.repeat_rate == pytest.approx(NUM_REPEATS / 10_000, abs=1e-12)
    assert size.density == pytest.approx((10_000 - NUM_REPEATS) / (500 * size.num_items), rel=1e-12)
    assert size.events_per_user.min == size.events_per_user.max == NUM_EACH
    assert size.length_shares == (0, 0, 0, 0, 1, 0, 0, 0)


def test_the_ties_are_those_planted(planted):
    assert planted.times.tie_share == NUM_TIES / 10_000
    assert planted.times.largest_tie == 2
    assert planted.leave_last_out.num_targets == NUM_USERS
    assert planted.leave_last_out.tied_target_share == NUM_LAST_TIES / NUM_USERS
    assert planted.times.gap_shares[0] == NUM_TIES / (NUM_USERS * (NUM_EACH - 1))


def test_lifetimes_follow_from_the_tied_last_events(planted):
    lifetime = planted.times.lifetime_s
    assert (lifetime.min, lifetime.median, lifetime.max) == (18 * DAY_S, 19 * DAY_S, 19 * DAY_S)
    assert lifetime.mean == pytest.approx((19 - NUM_LAST_TIES / NUM_USERS) * DAY_S, rel=1e-12)


def test_the_warnings_are_those_the_plants_call_for(planted):
    assert [warning.code for warning in planted.warnings] == [
        "tied-targets",
        "ties",
        "daily-rhythm",
        "cold-items",
        "drift",
        "repeats",
    ]
    by_code = {warning.code: warning for warning in planted.warnings}
    assert "12.3% of the events share user and second" in by_code["ties"].finding
    assert "23.5% of the events repeat" in by_code["repeats"].finding
    assert "evaluation.seen_filter" in by_code["repeats"].advice
    assert "split.ties=strict" in by_code["ties"].advice


def test_every_setting_that_an_advice_may_name_exists():
    sections = Config().to_dict()
    source = Path(audit_warnings.__file__).read_text("utf-8")
    named = re.findall(r"\b(split|model|evaluation|training|data)\.([a-z_]+)\b", source)
    named = {(section, key) for section, key in named if not source.count(f"trecs.{section}.{key}")}
    figures = {field.name for field in fields(Temporal)}
    settings = {pair for pair in named if pair[1] not in figures}
    assert len(settings) >= 7
    assert {pair for pair in settings if pair[1] not in sections[pair[0]]} == set()


def test_json_has_every_figure_as_a_plain_value(planted):
    report = json.loads(json.dumps(planted.to_json(), allow_nan=False))
    assert set(report) == {
        *("size", "times", "newcomers", "drift", "leave_last_out", "temporal", "warnings")
    }
    assert report["times"]["tie_share"] == NUM_TIES / 10_000
    assert report["warnings"][1]["code"] == "ties"


def test_text_shows_figures_and_warnings(planted):
    text = to_text(planted)
    tie_line = next(line for line in text.splitlines() if "event before" in line)
    assert tie_line.split()[-1] == "12.3%"
    assert "Warnings\n  1. 15.4% of the leave-last-out targets share" in text
    assert max(len(line) for line in text.splitlines()) <= 130


def test_the_order_of_the_rows_moves_no_figure_but_that_of_ties(planted):
    log, _ = log_from_frame(planted_frame().sample(frac=1, random_state=99))
    again = audit(align(log, None))
    assert replace(again.times, tie_ascent=planted.times.tie_ascent) == planted.times
    assert again.leave_last_out == planted.leave_last_out
    assert (again.newcomers, again.temporal) == (planted.newcomers, planted.temporal)


def test_the_settings_place_the_cut_of_histories():
    log, _ = log_from_frame(planted_frame())
    equal, shorter = (
        audit(align(log, None), Config(model=ModelConfig(history_len=n))) for n in (NUM_EACH, 19)
    )
    assert (equal.size.truncated_user_share, shorter.size.truncated_user_share) == (0, 1)
    assert "long-histories" not in {warning.code for warning in equal.warnings}
    assert "long-histories" in {warning.code for warning in shorter.warnings}


def test_the_public_name_is_the_function():
    assert trecs.audit is audit
