"""The command `trecs recommend`."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from trecs.cli.common import write

if TYPE_CHECKING:
    from trecs.serving.explanation import Explanation
    from trecs.serving.recommendation import Recommendation

# Parts and events of an explained item that are printed; JSON has all.
_SHOWN = 4


def add_recommend_options(recommend: argparse.ArgumentParser) -> None:
    """Add the options of `trecs recommend`."""
    recommend.add_argument("model", metavar="DIR", help="such as saved_models/NAME")
    recommend.add_argument("--user", required=True, metavar="ID", help="user id, known or not")
    recommend.add_argument(
        "--history",
        metavar="FILE",
        help="the user's events: item_id, timestamp and, for --rerank, rating if there is one;"
        " default: those known at export",
    )
    recommend.add_argument("--at", metavar="TIME", help="ISO 8601 or epoch seconds; default: now")
    recommend.add_argument("-k", type=int, default=10, metavar="K", help="how many (10)")
    recommend.add_argument(
        "--exclude", action="append", default=[], metavar="ID", help="an item to leave out"
    )
    recommend.add_argument(
        "--category",
        action="append",
        default=[],
        metavar="NAME",
        help="only items of this category, such as genres=Comedy; several: of any of them",
    )
    recommend.add_argument(
        "--explain", action="store_true", help="the parts of each score, and what each event did"
    )
    recommend.add_argument(
        "--rerank", action="store_true", help="order the items found by their predicted rating"
    )
    recommend.add_argument("--json", action="store_true", help="answer as JSON")


def run_recommend(options: argparse.Namespace) -> None:
    """Ask an exported model."""
    from trecs.data.history import parse_moment, read_history
    from trecs.data.timestamps import iso
    from trecs.serving.client import Recommender

    at = int(time.time()) if options.at is None else parse_moment(options.at)
    history = (
        None if options.history is None else read_history(options.history, rated=options.rerank)
    )
    filters = {"exclude": options.exclude, "categories": options.category}
    recommender = Recommender(options.model)
    found = recommender.recommend(
        options.user, history, at, options.k, rerank=options.rerank, **filters
    )
    explained: list[Explanation] = []
    if options.explain and found:
        ids = [item.item_id for item in found]
        explained = recommender.explain(options.user, ids, history, at)
    if options.json:
        items = [vars(item) for item in found]
        for item, why in zip(items, explained, strict=False):
            item["explained_score"] = why.score
            item["parts"], item["events"] = why.parts, [vars(event) for event in why.events]
        answer = {"user_id": options.user, "at": iso(at), "items": items}
        write(json.dumps(answer, ensure_ascii=False))
    else:
        write(_listing(options.user, iso(at), found, explained, options.rerank))


def _listing(
    user: str,
    at: str,
    found: Sequence[Recommendation],
    explained: Sequence[Explanation],
    reranked: bool,
) -> str:
    lines = [f"for user {user} at {at}:"]
    for place, item in enumerate(found, start=1):
        lines.append(f"{place:3}  {item.score:8.3f}  {item.item_id:>10}  {item.title}")
        if explained:
            why = explained[place - 1]
            if reranked:
                lines.append(f"{'':15}found by the score {why.score:.3f}:")
            lines += _reasons(why)
    return "\n".join(lines)


def _reasons(why: Explanation) -> list[str]:
    """The largest parts of a score, and the events without which it would differ most."""
    parts = sorted(why.parts.items(), key=lambda part: -abs(part[1]))[:_SHOWN]
    said = ", ".join(f"{name} {value:+.2f}" for name, value in parts if value)
    lines = [f"{'':15}{said}"]
    for event in why.events[:_SHOWN]:
        name = f"{event.item_id}  {event.title}".strip()
        lines.append(f"{'':15}{event.effect:+.2f} by {name}: {-event.effect:+.2f} without it")
    return lines
