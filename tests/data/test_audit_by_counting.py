"""The audit of random logs, against plain counting event by event."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from trecs.data.audit import audit
from trecs.data.audit_change import measure_drift
from trecs.data.dataset import align
from trecs.data.log import log_from_frame
from trecs.data.splits import leave_last_out, temporal

DAY_S = 86_400


@pytest.fixture(scope="module", params=range(5))
def log(request):
    """A log of 35 days with few distinct times, so that ties and repeats are many."""
    rng = np.random.default_rng(request.param)
    n = 1_500
    frame = pd.DataFrame(
        {
            "user_id": rng.integers(0, 40, n),
            "item_id": (rng.exponential(20, n) + np.linspace(0, 40, n)).astype(int),
            "timestamp": 1_500_000_000 + np.sort(rng.integers(0, 35 * 24, n)) * 3_600,
        }
    )
    return log_from_frame(frame.sample(frac=1, random_state=request.param))[0]


@pytest.fixture(scope="module")
def found(log):
    return audit(align(log, None))


def rows_of(log):
    return list(zip(log.user.tolist(), log.item.tolist(), log.timestamp_s.tolist(), strict=True))


def test_ties_and_repeats(log, found):
    last, had, ties, repeats = {}, set(), 0, 0
    for user, item, time_s in rows_of(log):
        ties += last.get(user) == time_s
        repeats += (user, item) in had
        last[user] = time_s
        had.add((user, item))
    assert ties > 20
    assert repeats > 100
    assert found.times.tie_share == pytest.approx(ties / log.num_events, abs=1e-12)
    assert found.size.repeat_rate == pytest.approx(repeats / log.num_events, abs=1e-12)
    assert found.times.largest_tie == max(Counter((u, t) for u, _, t in rows_of(log)).values())


def test_leave_last_out(log, found):
    split = leave_last_out(log)
    rows = rows_of(log)
    later, tied = [], []
    for target in split.test:
        user, _, time_s = rows[target]
        later.append(np.mean([rows[k][2] > time_s for k in split.train]))
        before = [t for u, _, t in rows[:target] if u == user]
        tied.append(before[-1] == time_s)
    assert found.leave_last_out.later_training_share == pytest.approx(np.mean(later), abs=1e-12)
    assert found.leave_last_out.tied_target_share == pytest.approx(np.mean(tied), abs=1e-12)


def test_cold_items_of_the_temporal_split(log, found):
    split = temporal(log)
    trained = {log.item[k] for k in split.train}
    cold = np.mean([log.item[k] not in trained for k in split.test])
    assert cold > 0
    assert found.temporal.cold_item_share == pytest.approx(cold, abs=1e-12)


def test_newcomers(log, found):
    width, start = found.newcomers.width_s, int(log.timestamp_s[0])
    seen, shares = set(), []
    for k in range(len(found.newcomers.start_s)):
        inside = [r for r in rows_of(log) if k * width <= r[2] - start < (k + 1) * width]
        shares.append(np.mean([r[1] not in seen for r in inside]))
        seen |= {r[1] for r in inside}
    assert found.newcomers.new_item_share == pytest.approx(tuple(shares), abs=1e-12)


@pytest.mark.parametrize("top", [3, 10])
def test_drift(log, top):
    first_seen = {item: k for k, (_, item, _) in reversed(list(enumerate(rows_of(log))))}
    start, week_s = int(log.timestamp_s[0]), 7 * DAY_S
    tops = []
    for week in range((int(log.timestamp_s[-1]) - start + 1) // week_s):
        counts = Counter(i for _, i, t in rows_of(log) if (t - start) // week_s == week)
        tops.append(set(sorted(counts, key=lambda i: (-counts[i], first_seen[i]))[:top]))
    overlaps = [len(a & b) / top for a, b in itertools.pairwise(tops)]
    assert len(overlaps) >= 3
    assert measure_drift(log, top).overlap == pytest.approx(tuple(overlaps), abs=1e-12)
