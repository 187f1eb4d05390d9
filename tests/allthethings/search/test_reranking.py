"""A cross-encoder looks at the best passages again, and what it says counts as much as what was
known."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allthethings.assets.locators import WHOLE
from allthethings.search import reranking
from allthethings.search.reranking import LOOKED_AT, Reranker, files_in, fused
from allthethings.search.results import Hit
from tests.allthethings.search import tiny_cross_encoder
from tests.allthethings.search.library import (
    Library,
    Searcher,
    Thing,
    another_app,
    near_to,
    vector_of,
)
from tools.harness.cloud import Cloud
from tools.harness.waiting import wait_for

WORDS = ["lamp", "tower", "sea", "bread", "oven"]


def hit(position: int, score: float, text: str = "") -> Hit:
    return Hit("a" * 24, position, text, WHOLE, score, score)


def reranker(folder: Path) -> Reranker:
    files = files_in(folder)
    assert files is not None
    return Reranker(files)


scored = st.lists(
    st.tuples(st.floats(0, 1), st.floats(-30, 30, width=32)), min_size=1, max_size=LOOKED_AT
)


@given(scored)
def test_new_scores_stay_in_the_range_of_the_old_ones(pairs: list[tuple[float, float]]) -> None:
    hits = [hit(number, score) for number, (score, _) in enumerate(pairs)]
    found = fused(hits, [other for _, other in pairs])
    assert sorted(each.position for each in found) == list(range(len(hits)))
    scores = [each.score for each in found]
    assert scores == sorted(scores, reverse=True)
    own = [each.score for each in hits]
    assert min(own) - 1e-9 <= scores[-1]
    assert scores[0] <= max(own) + 1e-9


@given(scored, st.floats(0.1, 50), st.floats(-50, 50))
def test_the_scale_of_the_other_scores_does_not_matter(
    pairs: list[tuple[float, float]], factor: float, more: float
) -> None:
    """Logits and probabilities both do."""
    hits = [hit(number, score) for number, (score, _) in enumerate(pairs)]
    others = [other for _, other in pairs]
    found = fused(hits, others)
    scaled = fused(hits, [factor * other + more for other in others])
    assert [each.score for each in scaled] == pytest.approx([each.score for each in found])


def test_neither_score_decides_alone() -> None:
    hits = [hit(0, 0.9), hit(1, 0.8), hit(2, 0.1)]
    assert [each.position for each in fused(hits, [0.0, 2.0, 1.0])] == [1, 0, 2]
    assert [each.position for each in fused(hits, [0.5, 0.0, 1.0])] == [0, 2, 1]
    assert [each.position for each in fused(hits, [1.0, 1.0, 1.0])] == [0, 1, 2]
    alike = [hit(0, 0.5), hit(1, 0.5)]
    assert [each.position for each in fused(alike, [0.0, 1.0])] == [1, 0]
    assert fused([], []) == []


def test_only_the_first_are_looked_at(tmp_path: Path) -> None:
    second = reranker(tiny_cross_encoder.write(tmp_path, WORDS))
    second.prepare()
    hits = [hit(number, 1 - number / 100, "lamp" * (number > 15)) for number in range(50)]
    found = second.rank("lamp", hits)
    assert found is not None
    assert {each.position for each in found[:4]} == {16, 17, 18, 19}
    assert found[LOOKED_AT:] == hits[LOOKED_AT:]
    assert second.rank("lamp", []) == []


def test_a_query_does_not_wait_for_the_model(tmp_path: Path) -> None:
    second = reranker(tiny_cross_encoder.write(tmp_path, WORDS))
    hits = [hit(0, 0.9, "sea"), hit(1, 0.8, "lamp")]
    assert second.rank("lamp", hits) is None
    found = wait_for(lambda: second.rank("lamp", hits), "the model is loaded")
    assert [each.position for each in found] == [1, 0]


def test_a_model_that_cannot_be_loaded_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    second = reranker(tiny_cross_encoder.write(tmp_path, WORDS, labels=2))
    second.prepare()
    assert second.rank("lamp", [hit(0, 0.5)]) is second.rank("lamp", [hit(0, 0.5)]) is None
    assert caplog.text.count("the cross-encoder cannot be loaded") == 1


def test_a_query_at_which_it_fails_is_ranked_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The score of a pair whose passage is long is too large for a number."""
    second = reranker(tiny_cross_encoder.write(tmp_path, WORDS, value=1e38))
    second.prepare()
    assert second.rank("lamp", [hit(0, 0.5, "lamp " * 50)]) is None
    assert "one number for each pair" in caplog.text
    assert second.rank("lamp", [hit(0, 0.5, "lamp")]) is not None


def test_a_crowd_does_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one query uses the model, another waits for it, but not for ever."""
    monkeypatch.setattr(reranking, "PATIENCE", 0.01)
    second = reranker(tiny_cross_encoder.write(tmp_path, WORDS))
    second.prepare()
    busy, go_on = threading.Event(), threading.Event()

    class Slow:
        def scores(self, query: str, texts: Sequence[str]) -> list[float]:
            busy.set()
            go_on.wait(20)
            return [float(len(query)) for _ in texts]

    second._loading.model = Slow()  # type: ignore[assignment]
    with ThreadPoolExecutor() as threads:
        first = threads.submit(second.rank, "lamp", [hit(0, 0.5)])
        assert busy.wait(20)
        assert second.rank("lamp", [hit(0, 0.5)]) is None
        go_on.set()
        assert first.result() == [hit(0, 0.5)]


QUERY = "vokoda tower"


@pytest.fixture(scope="module")
def things(library: Library) -> list[str]:
    """Two with the same words; the first is nearer, the second has them as the model knows them."""
    texts = {"The Vokoda stands here.": 0.30, "The vokoda stands here.": 0.36}
    wanted = vector_of(QUERY)
    return [library.put(Thing([text], vectors=[near_to(wanted, texts[text])])) for text in texts]


def test_a_search_is_ranked_a_second_time(
    cloud: Cloud, search: Searcher, things: list[str], tmp_path: Path
) -> None:
    folder = tiny_cross_encoder.write(tmp_path, ["vokoda"])
    first = search.answer(QUERY)
    assert [each["asset_id"] for each in first["results"][:2]] == things
    assert first["reranked"] is None
    with another_app(cloud, RERANKER=str(folder)) as address:
        person = Searcher(cloud, address)
        wait_for(lambda: person.answer(QUERY)["reranked"], "the cross-encoder is loaded")
        results = person.answer(QUERY)["results"]
        assert [each["asset_id"] for each in results[:2]] == things[::-1]
        assert [each["score"] for each in results] == sorted(
            (each["score"] for each in results), reverse=True
        )
        pages = person.all_ids(QUERY)
        assert len(pages) == len({*pages})
        assert {*pages} == {*search.all_ids(QUERY)}
        assert person.answer(like=things[0])["reranked"] is None
        person.http.close()


def test_a_search_says_that_the_second_look_failed(
    cloud: Cloud, search: Searcher, things: list[str], tmp_path: Path
) -> None:
    folder = tiny_cross_encoder.write(tmp_path, ["vokoda"], labels=2)
    with another_app(cloud, RERANKER=str(folder)) as address:
        person = Searcher(cloud, address)
        answer = person.answer(QUERY)
        assert answer["reranked"] is False
        ids = [each["asset_id"] for each in answer["results"]]
        assert ids[:2] == things
        assert ids == search.ids(QUERY)
        person.http.close()
