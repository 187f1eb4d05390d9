"""The measures have the values that one gets by hand."""

from __future__ import annotations

import pytest

from tools.measures import ndcg, recall, reciprocal_rank

JUDGED = {"b": 2, "c": 1, "d": 1, "x": 0}


@pytest.mark.parametrize(
    ("ranking", "depth", "expected"),
    [
        # Gains of 2 and 1 at ranks 2 and 3, of the ideal 2, 1 and 1 at ranks 1 to 3.
        (["a", "b", "c"], 10, 1.761860 / 3.130930),
        # The ideal ranking.
        (["b", "c", "d"], 10, 1.0),
        # Only two ranks count, also of the ideal ranking.
        (["c", "b", "d"], 2, 2.261860 / 2.630930),
        # Judged as irrelevant, and not judged at all.
        (["x", "y"], 10, 0.0),
        ([], 10, 0.0),
    ],
)
def test_ndcg(ranking: list[str], depth: int, expected: float) -> None:
    assert ndcg(ranking, JUDGED, depth) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("ranking", "depth", "expected"),
    [(["a", "b", "c"], 100, 2 / 3), (["a", "b", "c"], 2, 1 / 3), (["x"], 100, 0.0)],
)
def test_recall(ranking: list[str], depth: int, expected: float) -> None:
    assert recall(ranking, JUDGED, depth) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("ranking", "depth", "expected"),
    [(["a", "x", "d", "b"], 10, 1 / 3), (["b"], 10, 1.0), (["a", "b"], 1, 0.0), ([], 10, 0.0)],
)
def test_reciprocal_rank(ranking: list[str], depth: int, expected: float) -> None:
    assert reciprocal_rank(ranking, JUDGED, depth) == pytest.approx(expected)


def test_a_query_with_nothing_relevant_has_no_recall() -> None:
    assert (ndcg(["x"], {"x": 0}, 10), recall(["x"], {"x": 0}, 10)) == (0.0, 0.0)
