"""Speed, recall and memory of the two indexes, as ratios within one run.

    python benchmarks/index_speed.py RUN [--items 1000000] [--probes 32,40]

RUN is a finished run. Its item vectors (with trend and bias) and its users' queries are taken; more
items are made around them: an item drawn at random, plus Gaussian noise of half the standard
deviation of each column. Half of the queries shape the cells, the other half is asked.

1. The exact index over 100,000 items, one request: against a matrix-vector product and the top ten
   in plain NumPy, the same vectors.
2. The inverted file over `--items`: recall@10 against the exact index, throughput against it (one
   request at a time, and in batches of 64), and bytes against the vectors'.

Times are the processor's, of all threads, which other work on the machine hardly changes; medians
of calls that alternate between what is compared.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trecs.api.exporting import deploy
from trecs.run import Run
from trecs.serving.additions import Additions
from trecs.serving.index import CandidateIndex, ExactIndex
from trecs.serving.index_choice import sample_queries
from trecs.serving.inverted_file import InvertedFile, make_cells

K = 10
BATCH = 64
Vectors = NDArray[np.float32]


def trained(folder: str) -> tuple[Vectors, Vectors, int]:
    """Item vectors [N, W] and queries [Q, W] of a run, and the width D of the plain item vector."""
    deployment = deploy(Run.open(folder), k=K)
    module = deployment.module()
    rows = tf.range(module.index.num_candidates)
    queries = sample_queries(module, deployment.histories(), deployment.as_of_s)
    width = int(module.index.item_vectors(rows[:1]).shape[1])
    return module.index.embedding(rows).numpy(), queries, width


def around(vectors: Vectors, count: int, random: np.random.Generator) -> Vectors:
    """`count` vectors around the given ones."""
    noise = random.standard_normal((count, vectors.shape[1]), np.float32) * vectors.std(axis=0) / 2
    return vectors[random.integers(0, len(vectors), count)] + noise


def exact_index(vectors: Vectors, width: int) -> ExactIndex:
    """The exact index over made items."""
    own = np.concatenate([np.zeros((2, width), np.float32), vectors[:, :width]])
    return ExactIndex(_ids(len(vectors)), own, vectors[:, -1], vectors[:, width:-1])


def finder(index: CandidateIndex, dense: bool) -> Callable[[Vectors], Vectors]:
    """The index's top k of queries as a graph, without additions; returns ids as numbers."""

    def nothing(batch: tf.Tensor) -> Additions:
        empty = [tf.zeros([0], kind) for kind in (tf.int32, tf.int32, tf.float32)]
        row = tf.zeros([batch, index.num_candidates]) if dense else None
        return Additions(partial(tf.identity, row), partial(tuple, empty), None)

    @tf.function(input_signature=[tf.TensorSpec([None, None])])
    def find(query: tf.Tensor) -> tf.Tensor:
        batch = tf.shape(query)[0]
        nobody = tf.zeros([batch, 0], tf.int32)
        ids, _ = index.top_k(query, nothing(batch), nobody, K)
        return tf.strings.to_number(ids, tf.int32)

    return lambda query: find(tf.constant(query)).numpy()


def medians(what: Sequence[Callable[[], Any]], rounds: int) -> list[float]:
    """The median processor seconds of each, called in turn."""
    times: list[list[float]] = [[] for _ in what]
    for turn in range(rounds + 2):
        for number, call in enumerate(what):
            began = time.process_time()
            call()
            if turn >= 2:
                times[number].append(time.process_time() - began)
    return [float(np.median(own)) for own in times]


def exact_against_numpy(vectors: Vectors, queries: Vectors, width: int) -> dict[str, float]:
    """One request, 100,000 items."""
    find = finder(exact_index(vectors, width), dense=True)
    turn = iter(np.resize(np.arange(len(queries)), 10_000))

    def bare() -> None:
        scores = vectors @ queries[next(turn)]
        best = np.argpartition(scores, -K)[-K:]
        best[np.argsort(-scores[best])]

    def indexed() -> None:
        find(queries[next(turn)][None])

    plain, own = medians([bare, indexed], 200)
    return {"numpy_ms": 1e3 * plain, "exact_ms": 1e3 * own, "ratio": own / plain}


def inverted_against_exact(
    vectors: Vectors,
    shaping: Vectors,
    queries: Vectors,
    width: int,
    choices: Sequence[tuple[int, str]],
) -> list[dict[str, float | str]]:
    """A row for each number of probes and storage."""
    find_exact = finder(exact_index(vectors, width), dense=True)
    steps = range(0, len(queries), BATCH)
    truth = np.concatenate([find_exact(queries[i : i + BATCH]) for i in steps])
    began = time.perf_counter()
    cells = make_cells(vectors, shaping)
    built_s = time.perf_counter() - began
    special = np.zeros((2, width), np.float32)
    rows = []
    for probes, storage in choices:
        index = InvertedFile(_ids(len(vectors)), vectors, special, cells, probes, storage)
        find = finder(index, dense=False)
        found = np.concatenate([find(queries[i : i + BATCH]) for i in steps])
        hits = [len(set(f) & set(t)) for f, t in zip(found, truth, strict=True)]
        one, many = queries[:1], queries[:BATCH]
        exact_one, own_one = medians([partial(find_exact, one), partial(find, one)], 30)
        exact_many, own_many = medians([partial(find_exact, many), partial(find, many)], 5)
        arrays = (index.cells, index.centroid, index.slot, index.candidate_at, index.special)
        rows.append(
            {
                "items": len(vectors),
                "cells": index.num_cells,
                "probes": probes,
                "storage": storage,
                "recall@10": float(np.mean(hits)) / K,
                "speed_up_one_request": exact_one / own_one,
                "speed_up_batch_of_64": exact_many / own_many,
                "exact_ms": 1e3 * exact_one,
                "inverted_ms": 1e3 * own_one,
                "exact_ms_of_64": 1e3 * exact_many,
                "inverted_ms_of_64": 1e3 * own_many,
                "bytes_over_vectors": sum(a.shape.num_elements() * a.dtype.size for a in arrays)
                / vectors.nbytes,
                "built_s": built_s,
            }
        )
    return rows


def _ids(count: int) -> NDArray[np.object_]:
    return np.array([str(number) for number in range(count)], object)


def main() -> None:
    """Measure both and print the figures as JSON."""
    parser = argparse.ArgumentParser(description="Speed, recall and memory of the indexes.")
    parser.add_argument("run", help="folder of a finished run")
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--probes", default="32,40")
    told = parser.parse_args()
    random = np.random.default_rng(0)
    vectors, queries, width = trained(told.run)
    order = random.permutation(len(queries))
    shaping, asked = queries[order[::2]], queries[order[1::2]]
    small = exact_against_numpy(around(vectors, 100_000, random), asked, width)
    print(json.dumps({"exact, 100,000 items, one request": small}, indent=2), flush=True)
    probes = [int(number) for number in told.probes.split(",")]
    choices = [*((number, "float32") for number in probes), (probes[-1], "bfloat16")]
    made = around(vectors, told.items, random)
    print(json.dumps(inverted_against_exact(made, shaping, asked, width, choices), indent=2))


if __name__ == "__main__":
    main()
