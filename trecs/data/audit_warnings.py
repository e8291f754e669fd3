"""What an audit's figures mean for a measurement, in plain words, and what to do about it.

Each rule names its limit. The limits are working values, chosen so that the public logs of
docs/audit.md get the warnings that their known traps call for; they are no laws.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trecs.data.audit_change import Drift
from trecs.data.audit_holdout import LeaveLastOut, Temporal
from trecs.data.audit_size import Size
from trecs.data.audit_summary import DAY_S, MINUTE_S
from trecs.data.audit_time import Times
from trecs.data.durations import duration

_TIES = 0.05
_SORTED_TIES = 0.8
_LATER_TRAINING = 0.01
_BUSIEST_SECOND = 0.01
_REPEATS = 0.1
_SINGLE_MOMENT = 0.2
_COLD_USERS = 0.3
_COLD_ITEMS = 0.05
_OVERLAP = 0.5
_TRUNCATED = 0.25
_SHORT = 0.25
_CONTRAST = 0.15


@dataclass(frozen=True)
class AuditWarning:
    """One thing to know.

    Attributes:
        code: stable name, for programs.
        finding: what was found, with its figure.
        advice: what to do about it, in settings of trecs where there are some.
    """

    code: str
    finding: str
    advice: str


def find_warnings(
    size: Size,
    times: Times,
    drift: Drift,
    leave_last_out: LeaveLastOut | None,
    temporal: Temporal | None,
) -> tuple[AuditWarning, ...]:
    """The warnings that the figures call for, those of the split and of time first."""
    return (
        *_of_leave_last_out(leave_last_out),
        *_of_times(times),
        *_of_temporal(temporal),
        *_of_drift(drift),
        *_of_size(size),
    )


def _of_leave_last_out(held: LeaveLastOut | None) -> Iterator[AuditWarning]:
    if held is None:
        return
    if held.later_training_share >= _LATER_TRAINING:
        yield AuditWarning(
            "leave-last-out-leaks",
            f"Under leave-last-out, {held.later_training_share:.1%} of the training events lie "
            "after the test target that they help to predict (mean over targets).",
            "Keep split.kind=temporal for any claim about time or popularity; use leave-last-out "
            "for comparison with papers alone.",
        )
    if held.tied_target_share >= _TIES:
        yield AuditWarning(
            "tied-targets",
            f"{held.tied_target_share:.1%} of the leave-last-out targets share their second with "
            "the user's event before: which of them is last is an accident of the file.",
            "Under leave-last-out give the metric's range over the orders inside ties, or set "
            "split.ties=strict, which hides a target's siblings from its history.",
        )


def _of_times(times: Times) -> Iterator[AuditWarning]:
    if times.tie_share >= _TIES:
        yield AuditWarning(
            "ties",
            f"{times.tie_share:.1%} of the events share user and second with the user's event "
            f"before; one user has {times.largest_tie:,} in one second.",
            "The order inside a tie carries no time. Keep split.ties=strict (the default of the "
            "temporal split), and read no sequence out of ties.",
        )
    if times.tie_share >= _TIES and times.tie_ascent is not None:
        sorted_share = max(times.tie_ascent, 1 - times.tie_ascent)
        if sorted_share >= _SORTED_TIES:
            yield AuditWarning(
                "sorted-ties",
                f"Inside ties the items stand by their id: {sorted_share:.1%} of the neighbours "
                f"{'ascend' if times.tie_ascent > 0.5 else 'descend'}.",
                "Under split.ties=order (the default of leave-last-out) the last item of a tie is "
                "told by its id, and a model that reads the tie so far learns that: set "
                "split.ties=strict, or believe no figure of leave-last-out.",
            )
    if times.resolution_s >= MINUTE_S:
        of_day = times.resolution_s == DAY_S
        yield AuditWarning(
            "coarse-time",
            f"All times are whole steps of {duration(times.resolution_s)} apart.",
            "Ties come from rounding, and split.ties=strict hides a whole step from its siblings. "
            + ("Hours and sessions cannot be learnt. " if of_day else "")
            + "If finer times exist, take those (--timestamp-column).",
        )
    if times.busiest_second_share >= _BUSIEST_SECOND and times.resolution_s == 1:
        yield AuditWarning(
            "import-time",
            f"One single second holds {times.busiest_second_share:.1%} of all events.",
            "That is how a bulk import looks: check that the timestamp is when the event happened, "
            "not when it was stored (--timestamp-column).",
        )
    if times.single_moment_share >= _SINGLE_MOMENT:
        yield AuditWarning(
            "single-moment-users",
            f"{times.single_moment_share:.1%} of the users have all their events in one second.",
            "Under split.ties=strict they have no history at all; check that the user column "
            "names people, not orders or visits (--user-column).",
        )
    if times.resolution_s < DAY_S and times.hour_contrast >= _CONTRAST:
        yield AuditWarning(
            "daily-rhythm",
            f"Hours differ: {times.hour_contrast:.1%} of the events would have to move to even "
            "out the day.",
            "The model reads the hour in UTC. Where users live in one zone that is as good as "
            "their own; where they do not, write local times into the log.",
        )


def _of_temporal(split: Temporal | None) -> Iterator[AuditWarning]:
    if split is None:
        yield AuditWarning(
            "no-temporal-split",
            "The log has too few distinct times for training, validation and test.",
            "Use a longer log, or split.kind=leave-last-out.",
        )
        return
    if split.cold_user_share >= _COLD_USERS:
        yield AuditWarning(
            "cold-users",
            f"{split.cold_user_share:.1%} of the temporal test events are by users without a "
            "training event.",
            "They are served from their history and the trend, not from a learnt id: leave "
            "model.user_id_dropout high, and give slices for known and new users.",
        )
    if split.cold_item_share >= _COLD_ITEMS:
        yield AuditWarning(
            "cold-items",
            f"{split.cold_item_share:.1%} of the temporal test events are on items without a "
            "training event.",
            "Give an items file with text (--items), keep model.item_id_dropout above 0, and give "
            "slices for warm and cold items.",
        )
    if split.test_span_s < DAY_S:
        yield AuditWarning(
            "short-test-window",
            f"The temporal test window spans {duration(split.test_span_s)}.",
            "It sees neither a whole day nor a week; lower split.test_quantile and "
            "split.train_quantile, or use a longer log.",
        )


def _of_drift(drift: Drift) -> Iterator[AuditWarning]:
    if drift.mean_overlap is not None and drift.mean_overlap < _OVERLAP:
        yield AuditWarning(
            "drift",
            f"From one {drift.period_name} to the next only {drift.mean_overlap:.1%} of the "
            "top 100 stay there (mean).",
            "All-time popularity is a weak baseline here: look at popular_7_days beside the model, "
            "train again often, and judge on split.kind=temporal.",
        )


def _of_size(size: Size) -> Iterator[AuditWarning]:
    if size.repeat_rate > _REPEATS:
        yield AuditWarning(
            "repeats",
            f"{size.repeat_rate:.1%} of the events repeat an item that the user had.",
            "Leave evaluation.seen_filter at auto (off where the training part repeats so much), "
            "or set it to off: a seen filter turns each repeat into a miss.",
        )
    if size.truncated_user_share >= _TRUNCATED:
        yield AuditWarning(
            "long-histories",
            f"{size.truncated_user_share:.1%} of the users have more events than the "
            f"{size.history_len:,} that the model reads.",
            "Try a larger model.history_len; memory and time grow with it.",
        )
    if size.short_user_share >= _SHORT:
        yield AuditWarning(
            "short-histories",
            f"{size.short_user_share:.1%} of the users have fewer than 3 events.",
            "Leave-last-out does not test them, so its figures are of the other users; the "
            "temporal split tests all.",
        )
