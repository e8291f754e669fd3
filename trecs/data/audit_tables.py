"""The figures of an audit as titled rows, the same for text, HTML and Markdown."""

from __future__ import annotations

from trecs.data.audit import Audit
from trecs.data.audit_change import TOP
from trecs.data.audit_holdout import LeaveLastOut, Temporal
from trecs.data.audit_size import Size
from trecs.data.audit_summary import Spread
from trecs.data.audit_time import Times
from trecs.data.durations import duration
from trecs.data.timestamps import iso

Rows = list[tuple[str, str]]


def audit_rows(audit: Audit) -> dict[str, Rows]:
    """Rows of (name, value) by the title of their part; parts that the log cannot have are absent.

    Example:
        >>> audit_rows(audit)["Size"][0]
        ('events', '100,000')
    """
    parts = {"Size": _size(audit.size), "Time": _times(audit.times)}
    drift = audit.drift
    if drift.mean_overlap is not None:
        name = f"top {TOP} kept from one {drift.period_name} to the next, mean"
        parts["Drift"] = [(name, _percent(drift.mean_overlap))]
    if audit.leave_last_out is not None:
        parts["Leave-last-out"] = _leave_last_out(audit.leave_last_out)
    if audit.temporal is not None:
        parts["Temporal split"] = _temporal(audit.temporal)
    return parts


def _size(size: Size) -> Rows:
    rows = [
        ("events", f"{size.num_events:,}"),
        ("users", f"{size.num_users:,}"),
        ("items with events", f"{size.num_items:,}"),
        ("items without events", f"{size.num_unused_items:,}"),
    ]
    if size.unlisted_event_share is not None:
        rows.append(("events on items not in the items file", _percent(size.unlisted_event_share)))
    return [
        *rows,
        ("first event", iso(size.first_s)),
        ("last event", iso(size.last_s)),
        ("span", duration(size.last_s - size.first_s)),
        ("events per user", _counts(size.events_per_user)),
        ("events per item", _counts(size.events_per_item)),
        ("density (distinct pairs of all)", f"{size.density:.4%}"),
        ("events that repeat an item", _percent(size.repeat_rate)),
        ("users with fewer than 3 events", _percent(size.short_user_share)),
        (f"users with more than {size.history_len:,} events", _percent(size.truncated_user_share)),
    ]


def _times(times: Times) -> Rows:
    ascent = "none" if times.tie_ascent is None else _percent(times.tie_ascent)
    return [
        ("resolution", duration(times.resolution_s)),
        ("events tied with the user's event before", _percent(times.tie_share)),
        ("largest tie of one user", f"{times.largest_tie:,}"),
        ("neighbours in ties that ascend by item id", ascent),
        ("events in the busiest second", _percent(times.busiest_second_share)),
        ("gap to the user's next event", _durations(times.gap_s)),
        ("lifetime of a user", _durations(times.lifetime_s)),
        ("users with one moment only", _percent(times.single_moment_share)),
        ("events out of an even day", _percent(times.hour_contrast)),
    ]


def _leave_last_out(held: LeaveLastOut) -> Rows:
    return [
        ("test targets", f"{held.num_targets:,}"),
        ("targets tied with the event before", _percent(held.tied_target_share)),
        ("training events after a target, mean", _percent(held.later_training_share)),
    ]


def _temporal(split: Temporal) -> Rows:
    return [
        ("training ends before", iso(split.train_end_s)),
        ("test starts at", iso(split.test_start_s)),
        ("training events", f"{split.num_train:,}"),
        ("validation events", f"{split.num_validation:,}"),
        ("test events", f"{split.num_test:,}"),
        ("span of the test window", duration(split.test_span_s)),
        ("test events on items not in training", _percent(split.cold_item_share)),
        ("test events by users not in training", _percent(split.cold_user_share)),
    ]


def _percent(share: float) -> str:
    return "under 0.1%" if 0 < share < 0.0005 else f"{share:.1%}"


def _counts(values: Spread | None) -> str:
    if values is None:
        return "none"
    return (
        f"median {values.median:,} (10 %: {values.p10:,}, 90 %: {values.p90:,}, "
        f"most: {values.max:,})"
    )


def _durations(values: Spread | None) -> str:
    if values is None:
        return "none"
    return (
        f"median {duration(values.median)} (10 %: {duration(values.p10)}, "
        f"90 %: {duration(values.p90)}, most: {duration(values.max)})"
    )
