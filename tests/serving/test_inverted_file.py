"""The inverted file against plain NumPy over all candidates."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from trecs.serving import kmeans
from trecs.serving.additions import Additions
from trecs.serving.index import NO_SCORE, ExactIndex
from trecs.serving.inverted_file import InvertedFile, make_cells
from trecs.serving.kmeans import balanced_cells, fit_centroids, means, score_metric

N, WIDTH, KINDS, QUERIES = 900, 8, 3, 40
RANDOM = np.random.default_rng(3)
IDS = np.array([f"i{n}" for n in range(N)], object)
GROUPS = RANDOM.standard_normal((30, WIDTH + KINDS + 1))
VECTORS = (GROUPS[np.arange(N) % 30] + 0.3 * RANDOM.standard_normal((N, 12))).astype(np.float32)
SPECIAL = RANDOM.standard_normal((2, WIDTH)).astype(np.float32)
QUERY = RANDOM.standard_normal((QUERIES, 12)).astype(np.float32)
QUERY[:, -1] = 1
CELLS = make_cells(VECTORS, QUERY)
NOBODY = -np.ones((QUERIES, 0), np.int32)


def _exact() -> ExactIndex:
    vectors = np.concatenate([SPECIAL, VECTORS[:, :WIDTH]])
    return ExactIndex(IDS, vectors, VECTORS[:, -1], VECTORS[:, WIDTH:-1])


def _additions(query: list[int], candidate: list[int], value: list[float]) -> Additions:
    pairs = (np.int32(query), np.int32(candidate), np.float32(value))
    dense = np.zeros((QUERIES, N), np.float32)
    np.add.at(dense, pairs[:2], pairs[2])
    return Additions(
        partial(tf.constant, dense), partial(tuple, [tf.constant(part) for part in pairs]), None
    )


NONE = _additions([], [], [])


def _top(
    index: ExactIndex | InvertedFile,
    additions: Additions = NONE,
    excluded: NDArray[np.int32] = NOBODY,
    k: int = 10,
    allowed: NDArray[np.bool_] | None = None,
) -> tuple[list[list[str]], NDArray[np.float32]]:
    """In a graph, as it is served."""
    find = tf.function(lambda: index.top_k(QUERY, additions, tf.constant(excluded), k, allowed))
    ids, scores = find()
    return [[i.decode() for i in row] for row in ids.numpy()], scores.numpy()


def _file(probes: int) -> InvertedFile:
    return InvertedFile(IDS, VECTORS, SPECIAL, CELLS, probes)


def test_scores_are_the_inner_products():
    ids, scores = _top(_file(8))
    found = np.array([[int(i[1:]) for i in row] for row in ids])
    exact = QUERY @ VECTORS.T

    np.testing.assert_allclose(scores, np.take_along_axis(exact, found, axis=1), rtol=1e-5)
    assert (np.diff(scores) <= 0).all()


def test_more_probes_find_more_and_all_cells_find_all():
    exact = np.argsort(-(QUERY @ VECTORS.T), axis=1)[:, :10]
    recalls = []
    for probes in (1, 8, len(CELLS.centroid)):
        ids, _ = _top(_file(probes))
        found = [{int(i[1:]) for i in row} for row in ids]
        recalls.append(np.mean([len(f & set(e)) / 10 for f, e in zip(found, exact, strict=True)]))
    assert recalls[0] < recalls[1] < recalls[2] == 1
    assert recalls[1] > 0.9


def test_an_addition_lifts_a_candidate_of_a_cell_that_is_not_probed():
    worst = (QUERY @ VECTORS.T).argmin(axis=1)
    additions = _additions([*range(QUERIES)] * 2, [*worst, *worst], [40.0, 60.0] * QUERIES)
    ids, scores = _top(_file(2), additions)

    assert [row[0] for row in ids] == [f"i{n}" for n in worst]
    assert [len(set(row)) for row in ids] == [10] * QUERIES
    lifted = np.array([40.0, 60.0] * QUERIES).reshape(2, -1).sum(axis=0)
    np.testing.assert_allclose(scores[:, 0], (QUERY @ VECTORS.T).min(axis=1) + lifted, rtol=1e-4)


def test_an_addition_pushes_the_best_down():
    best = (QUERY @ VECTORS.T).argmax(axis=1)
    additions = _additions([*range(QUERIES)], [*best], [-1000.0] * QUERIES)
    ids, _ = _top(_file(8), additions)

    assert not any(f"i{n}" in row for n, row in zip(best, ids, strict=True))


def test_additions_and_exclusions_agree_with_the_exact_index():
    query, candidate = RANDOM.integers(0, QUERIES, 300), RANDOM.integers(0, N, 300)
    additions = _additions([*query], [*candidate], [*RANDOM.standard_normal(300) * 3])
    excluded = RANDOM.integers(-1, N, (QUERIES, 60)).astype(np.int32)
    of_file, of_exact = (
        _top(index, additions, excluded, 25) for index in (_file(len(CELLS.centroid)), _exact())
    )

    assert of_file[0] == of_exact[0]
    np.testing.assert_allclose(of_file[1], of_exact[1], rtol=1e-4, atol=1e-5)


def test_k_are_found_where_the_probed_cells_do_not_hold_as_many():
    k = CELLS.capacity + 30
    of_file, of_exact = _top(_file(1), k=k), _top(_exact(), k=k)

    assert of_file[0] == of_exact[0]


def test_exclusions_that_empty_the_probed_cells_are_made_up_for():
    best = np.argsort(-(QUERY @ VECTORS.T), axis=1)[:, : N - 4].astype(np.int32)
    ids, scores = _top(_file(2), excluded=best, k=6)

    left = np.argsort(-(QUERY @ VECTORS.T), axis=1)[:, N - 4 :]
    assert ids == [[*(f"i{n}" for n in row), "", ""] for row in left]
    assert (scores[:, 4:] == np.float32(NO_SCORE)).all()


def test_categories_are_answered_exactly():
    allowed = RANDOM.random((QUERIES, N)) < 0.03
    allowed[0] = True
    excluded = np.tile(np.arange(0, N, 2, dtype=np.int32), (QUERIES, 1))
    of_file, of_exact = (
        _top(index, excluded=excluded, allowed=allowed) for index in (_file(8), _exact())
    )

    assert of_file[0][1:] == of_exact[0][1:]
    assert all(allowed[q, int(i[1:])] for q, row in enumerate(of_file[0]) for i in row if i)


def test_items_that_are_not_offered_are_never_found_and_keep_their_vectors():
    vectors = VECTORS.copy()
    vectors[::2, -1] = NO_SCORE
    index = InvertedFile(IDS, vectors, SPECIAL, make_cells(vectors, QUERY), 8)
    ids, scores = _top(index, _additions([0], [4], [5.0]))

    assert all(int(i[1:]) % 2 for row in ids for i in row)
    assert (scores > -1000).all()
    np.testing.assert_array_equal(index.item_vectors(tf.constant([6]))[0], VECTORS[4, :WIDTH])


def test_vectors_by_row_and_by_candidate_are_the_exact_indexs():
    row = tf.constant([[0, 1, 2], [2 + N - 1, 7, 1]])
    candidate = tf.constant([0, -1, N - 1], tf.int32)

    np.testing.assert_array_equal(_file(1).item_vectors(row), _exact().item_vectors(row))
    np.testing.assert_array_equal(_file(1).embedding(candidate), _exact().embedding(candidate))


def test_cells_hold_each_candidate_once_and_no_more_than_their_capacity():
    assert len(set(CELLS.slot.tolist())) == N
    assert np.bincount(CELLS.slot // CELLS.capacity).max() <= CELLS.capacity
    assert len(CELLS.centroid) * CELLS.capacity <= 1.25 * N


def test_a_crowded_cell_keeps_its_nearest():
    vectors = np.array([[0.0], [0.3], [0.1], [9.0]], np.float32)
    cell = balanced_cells(vectors, np.array([[0.0], [10.0]], np.float32), 2)
    assert cell.tolist() == [0, 1, 0, 1]
    np.testing.assert_allclose(means(vectors, cell, 3), [[0.05], [4.65], [0]], atol=1e-6)


def test_centroids_find_groups_far_apart():
    points = np.repeat(np.array([[0, 0], [100, 0], [0, 100]], np.float32), 40, axis=0)
    centroids = fit_centroids(points + RANDOM.uniform(-1, 1, points.shape), 3)
    found = sorted((round(x / 100), round(y / 100)) for x, y in centroids)
    assert found == [(0, 0), (0, 1), (1, 0)]


def test_the_metric_is_the_error_of_a_score():
    error = np.array([0.0, 2.0, 0.0], np.float32)
    queries = np.array([[9, 1, 9], [9, -3, 9]], np.float32)
    mapped = error @ score_metric(queries)
    # The mean of (1 * 2)^2 and (3 * 2)^2 is 20.
    assert float(mapped @ mapped) == pytest.approx(20, rel=0.02)


def test_many_equal_vectors_are_placed_in_a_few_rounds(monkeypatch):
    vectors = RANDOM.standard_normal((20_000, 8)).astype(np.float32)
    vectors[:18_000] = vectors[0]
    rounds = []
    nearest = kmeans._nearest
    monkeypatch.setattr(kmeans, "_nearest", lambda *a: rounds.append(len(a[0])) or nearest(*a))
    cell = balanced_cells(vectors, vectors[::100], 120)
    assert len(rounds) <= 20
    assert np.bincount(cell, minlength=200).max() <= 120
    assert (cell >= 0).all()


def test_two_items_have_cells():
    cells = make_cells(VECTORS[:2], QUERY)
    assert sorted(cells.slot.tolist()) == sorted(set(cells.slot.tolist()))


def test_items_that_are_not_offered_have_finite_scores_in_bfloat16():
    vectors = VECTORS.copy()
    vectors[3, -1] = NO_SCORE
    index = InvertedFile(IDS, vectors, SPECIAL, CELLS, len(CELLS.centroid), "bfloat16")
    assert index.embedding(tf.constant([3])).numpy()[0, -1] == np.float32(NO_SCORE)
    ids, scores = _top(index, k=N)
    assert all(IDS[3] not in row for row in ids)
    assert np.isfinite(scores).all()
