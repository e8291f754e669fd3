"""Lists of other libraries, measured by trecs; and what their shared code makes of the files."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

PEERS = Path(__file__).resolve().parents[2] / "benchmarks" / "peers"


def load(name: str) -> ModuleType:
    """A module of benchmarks/peers, which is no package."""
    spec = importlib.util.spec_from_file_location(f"peers_{name}", PEERS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


exchange, files = load("exchange"), load("exchange_files")
sys.modules["exchange_files"] = files  # as in a peer's own process
peer = load("peer")


@pytest.fixture(scope="module")
def log_file(tmp_path_factory) -> Path:
    """Six items; the last event of x and of y tests, the one before it validates.

    User x: a b c d at 10 20 30 40; y: b a e f at 15 25 35 45; z, who trains only: d f at 5 6.
    """
    path = tmp_path_factory.mktemp("log") / "tiny.csv"
    start = 893_286_600
    x = [("x", item, start + t) for item, t in zip("abcd", (10, 20, 30, 40), strict=True)]
    y = [("y", item, start + t) for item, t in zip("baef", (15, 25, 35, 45), strict=True)]
    z = [("z", item, start + t) for item, t in zip("df", (5, 6), strict=True)]
    events = pd.DataFrame([*y, *x, *z], columns=["user_id", "item_id", "timestamp"])
    events.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def folder(log_file, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exchange")
    exchange.export(str(log_file), "leave-last-out", folder)
    return folder


def test_export_keeps_every_held_out_event_from_the_training_file(folder):
    train = pd.read_parquet(folder / "train.parquet")
    assert list(zip(train.user_id, train.item_id, strict=True)) == [
        ("z", "d"),
        ("z", "f"),
        ("x", "a"),
        ("y", "b"),
        ("x", "b"),
        ("y", "a"),
    ]
    assert train.timestamp.is_monotonic_increasing


def test_requests_hold_everything_before_them_and_no_target(folder):
    table = pq.read_table(folder / "requests.parquet")
    assert "item_id" not in table.column_names
    assert table["user_id"].to_pylist() == ["x", "y"]
    assert table["history_item_ids"].to_pylist() == [["a", "b", "c"], ["b", "a", "e"]]
    times = table["history_times_s"].to_pylist()
    assert all(
        max(t) < now for t, now in zip(times, table["request_time_s"].to_pylist(), strict=True)
    )


def test_validation_requests_end_before_the_validation_target(folder):
    table = pq.read_table(folder / "validation.parquet")
    assert table["item_id"].to_pylist() == ["c", "e"]
    assert table["history_item_ids"].to_pylist() == [["a", "b"], ["b", "a"]]


def answer(tmp_path: Path, lists: list[list[str]]) -> Path:
    answers = tmp_path / "library-model"
    answers.mkdir()
    table = pa.table({"request": np.arange(len(lists), dtype=np.int32), "item_ids": lists})
    pq.write_table(table, answers / "lists.parquet")
    (answers / "run.json").write_text("{}")
    return answers


def test_a_list_is_measured_by_the_place_of_the_target_in_it(folder, tmp_path):
    # x's target d stands 2nd; y's f stands 3rd, but a was seen by y and is taken away: 2nd too.
    answers = answer(tmp_path, [["f", "d"], ["c", "a", "f"]])
    metrics = exchange.score(folder, answers, tmp_path)["metrics"]
    assert metrics["mrr@5"] == pytest.approx(1 / 2)
    assert metrics["ndcg@10"] == pytest.approx(1 / np.log2(3))
    assert metrics["recall@10"] == 1


def test_a_target_outside_its_list_is_a_miss(folder, tmp_path):
    answers = answer(tmp_path, [["f", "e"], ["f"]])
    metrics = exchange.score(folder, answers, tmp_path)["metrics"]
    assert metrics["recall@50"] == pytest.approx(1 / 2)
    assert metrics["mrr@10"] == pytest.approx(1 / 2)


def test_a_peer_without_lists_is_recorded_as_failed(folder, tmp_path):
    (tmp_path / "library-model").mkdir()
    exchange.score(folder, tmp_path / "library-model", tmp_path / "results")
    (path,) = (tmp_path / "results").rglob("*.json")
    assert json.loads(path.read_text())["status"] == "failed"
    assert "library model, failed" in exchange.table(tmp_path / "results")


def test_lists_that_fit_no_request_are_rejected(folder, tmp_path):
    with pytest.raises(ValueError, match="expected requests 0 to 1"):
        exchange.score(folder, answer(tmp_path, [["d"]]), tmp_path)


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ([["d", "d"], ["f"]], "at most once in a list"),
        ([["nowhere"], ["f"]], "item ids of the log in the lists, but 'nowhere' came"),
    ],
)
def test_lists_of_unusable_items_are_rejected(folder, tmp_path, lists, message):
    with pytest.raises(ValueError, match=message):
        exchange.score(folder, answer(tmp_path, lists), tmp_path)


class Fixed:
    """Scores a, b, ... by a fixed row; each epoch takes the next one."""

    patience = 2

    def __init__(self, rows: list[list[float]], epoch_s: float = 0) -> None:
        self.rows, self.epoch, self.epoch_s, self.settings = rows, -1, epoch_s, {}

    def train_epoch(self) -> None:
        # The limit counts time of the processor.
        end = time.process_time() + self.epoch_s
        while time.process_time() < end:
            pass
        self.epoch += 1

    def answers(self, requests: Any) -> Any:
        return requests.length > 0

    def score(self, requests: Any, rows: Any) -> Any:
        return np.tile(np.array(self.rows[self.epoch], np.float32), (rows.size, 1))

    def weights(self) -> int:
        return self.epoch

    def restore(self, weights: int) -> None:
        self.epoch = weights


def requests_of(histories: list[list[int]], targets: list[int]) -> Any:
    item = np.concatenate([np.array(h, np.int32) for h in histories])
    start = np.concatenate([[0], np.cumsum([len(h) for h in histories])])
    n = len(histories)
    return files.Requests(
        user=np.zeros(n, np.int32),
        time_s=np.full(n, 100),
        start=start,
        item=item,
        item_time_s=np.arange(item.size) + 50,
        target=np.array(targets, np.int32),
    )


def small_exchange(requests: Any, exclude_seen: bool = True) -> Any:
    # Training counts of items 1, 2, 3: 1, 3, 2.
    item = np.array([1, 2, 2, 2, 3, 3], np.int32)
    zeros = np.zeros(6, np.int32)
    ids = pa.array(["a", "b", "c"])
    return files.Exchange(zeros, item, zeros, 1, ids, requests, requests, exclude_seen, 2)


def test_the_files_are_read_as_numbers_and_unknown_items_leave_the_histories(folder):
    got = files.read_exchange(folder)
    # d f a b are 1 2 3 4; c and e did not train.
    assert got.item.tolist() == [1, 2, 3, 4, 4, 3]
    assert got.requests.length.tolist() == [2, 2]
    assert got.requests.item.tolist() == [3, 4, 4, 3]
    assert got.validation.target.tolist() == [0, 0]


def test_newest_events_are_padded_on_the_side_asked_for():
    requests = requests_of([[1, 2, 3], [2]], [])
    rows = np.arange(2)
    assert requests.newest(rows, 2, "left")[0].tolist() == [[2, 3], [0, 2]]
    items, times = requests.newest(rows, 2, "right")
    assert items.tolist() == [[2, 3], [2, 0]]
    assert times.tolist() == [[51, 52], [53, 0]]


def test_lists_leave_out_seen_items_and_fall_back_to_training_counts(tmp_path):
    model = Fixed([[3, 2, 1]])
    model.train_epoch()
    given = small_exchange(requests_of([[1], []], []))
    peer.write_lists(model, given, tmp_path / "lists.parquet")
    got = pq.read_table(tmp_path / "lists.parquet")["item_ids"].to_pylist()
    assert got == [["b", "c"], ["b", "c"]]
    peer.write_lists(model, small_exchange(given.requests, False), tmp_path / "lists.parquet")
    got = pq.read_table(tmp_path / "lists.parquet")["item_ids"].to_pylist()
    assert got == [["a", "b"], ["b", "c"]]


def test_validation_counts_ties_half_and_an_unknown_target_as_a_miss():
    model = Fixed([[0, 1, 1]])
    model.train_epoch()
    # Ranks: the first target ties with one other (2nd place), the second did not train.
    given = small_exchange(requests_of([[1], [1]], [2, 0]))
    assert peer.validation_ndcg(model, given) == pytest.approx(1 / np.log2(3) / 2)


def test_the_best_epoch_is_kept_when_patience_ends():
    model = Fixed([[0, 1, 2], [0, 2, 1], [0, 2, 1], [0, 1, 2]])
    record = peer.fit(model, small_exchange(requests_of([[1]], [2])), limit_s=0)
    assert (record["status"], record["epochs"], record["best_epoch"]) == ("finished", 4, 2)
    assert model.epoch == 1


def test_a_limit_stops_amid_an_epoch_and_keeps_the_best_before_it():
    model = Fixed([[0, 2, 1], [0, 1, 2]], epoch_s=0.7)
    record = peer.fit(model, small_exchange(requests_of([[1]], [2])), limit_s=1)
    assert record["status"] == "stopped by the limit"
    assert (record["epochs"], record["best_epoch"], model.epoch) == (1, 1, 0)
