"""What servers and people want beside the graph: warm-up requests and a model card."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from trecs.serving.warmup import FILE, example_requests, write_warmup

CARD = "model_card.md"
_LENGTHS = (0, 1, 10, 50)


def write_service_extras(
    folder: Path, metadata: Mapping[str, Any], titles: pd.DataFrame, histories: pd.DataFrame
) -> None:
    """Write `tf_serving_warmup_requests` and `model_card.md`.

    The warm-up requests are written where the extra `serve` is installed, which has the classes of
    their messages; a version without them is served too, its first requests more slowly.

    Args:
      folder: the `assets.extra` folder.
      metadata: as in `metadata.json`.
      titles: columns `item_id`, `title`.
      histories: columns `user_id`, `item_id`, `timestamp` (UTC epoch seconds).
    """
    (folder / CARD).write_text(model_card(metadata, titles, histories), encoding="utf-8")
    if importlib.util.find_spec("tensorflow_serving") is None:
        return
    items = [str(item) for item in titles["item_id"].iloc[: max(_LENGTHS)]]
    at_s, rank = int(metadata["trend_as_of_s"]), bool(metadata["rank"])
    requests = example_requests(items, at_s, _LENGTHS, rank=rank)
    write_warmup(folder / FILE, "model", requests)


def model_card(metadata: Mapping[str, Any], titles: pd.DataFrame, histories: pd.DataFrame) -> str:
    """What the model is, what it was made from, and what it must not be taken for, as Markdown."""
    first, last = (
        pd.Timestamp(int(second), unit="s", tz="UTC").date().isoformat()
        for second in (histories["timestamp"].min(), histories["timestamp"].max())
    )
    as_of, trained = _moment(metadata["trend_as_of_s"]), _moment(metadata["trained_until_s"])
    seen = "are left out" if metadata["exclude_seen"] else "may be recommended again"
    packages = {"trecs": "trecs", "TensorFlow": "tensorflow", "Keras": "keras"}
    made_with = ", ".join(f"{name} {metadata[key]}" for name, key in packages.items())
    settings = json.dumps(metadata["config"], indent=2, sort_keys=True)
    return f"""# Model card

Ranks items for a user at a time, from the user's events before that time.

| | |
|---|---|
| items | {metadata["num_offered"]}{_of_all(metadata["num_offered"], len(titles))} |
| known users | {histories["user_id"].nunique()} |
| events | {len(histories)}, {first} to {last} |
| last training event | {trained} |
| what is popular lately, as of | {as_of} |
| items of the history | {seen} |
| longest list | {metadata["k"]} |
| made with | {made_with} |

## Limits

It learned what users did, which is not all of what they wanted: items shown more were had more, and
the model repeats that. Quality falls with the time since the last training event. How well it does
on held-out events is in the run's own report (`trecs evaluate`), and holds for that log.
`histories.parquet` beside this card is personal data; the ids of known users stand in the graph
and in the folder `refresh` too.

## Settings

```json
{settings}
```
"""


def _moment(second: int | None) -> str:
    return "not known" if second is None else pd.Timestamp(second, unit="s", tz="UTC").isoformat()


def _of_all(num_offered: int, num_items: int) -> str:
    return "" if num_offered == num_items else f", of {num_items} that histories may hold"
