"""The embedding model behind Cog's server, against vectors of sentence-transformers."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from localcloud.weights import cache as weights
from tests.localcloud.models.cogserver import CogServer
from tests.localcloud.models.modules import load
from tools.harness.cloud import ROOT
from tools.harness.models import module_of
from tools.harness.reference import MISSING, REFERENCE

VECTORS = REFERENCE / "data" / "mpnet-reference.json"

# The first six of 768 numbers, as sentence-transformers 6.2.0 with torch 2.13.0 in float32 gives
# them for the original weights.
RECORDED = {
    "How did Tesla finance his work?": [
        0.016946,
        0.049626,
        -0.014708,
        0.040219,
        0.031865,
        -0.023426,
    ],
    "What are stators attached to?": [
        0.005705,
        -0.097866,
        -0.001959,
        0.014201,
        -0.004508,
        0.070188,
    ],
    "Ünïcödé — naïve façade, 東京, emoji 🚀": [
        0.018339,
        -0.009573,
        -0.020248,
        0.027397,
        0.006761,
        0.025479,
    ],
    "   leading and   inner   spaces\n\nand\tnewlines ": [
        0.018736,
        0.006965,
        0.01,
        -0.002768,
        0.033816,
        0.015362,
    ],
}
LONG = "A lighthouse keeper counts the ships that pass by in the night. " * 40


def embed(mpnet: CogServer, texts: Sequence[str]) -> np.ndarray:
    return np.array([one["embedding"] for one in mpnet.output(text_batch=json.dumps(list(texts)))])


def test_recorded_numbers(mpnet: CogServer) -> None:
    vectors = embed(mpnet, list(RECORDED))
    assert vectors.shape == (len(RECORDED), 768)
    assert np.allclose(vectors[:, :6], list(RECORDED.values()), atol=5e-4)


@pytest.mark.skipif(not VECTORS.exists(), reason=MISSING)
def test_every_reference_vector(mpnet: CogServer) -> None:
    cases = json.loads(VECTORS.read_text())["cases"]
    vectors = embed(mpnet, [case["text"] for case in cases])
    expected = np.array([case["embedding"] for case in cases])
    cosines = (vectors * expected).sum(1) / np.linalg.norm(expected, axis=1)
    assert cosines.min() > 0.9999


def test_a_batch_keeps_its_order_and_equals_single_texts(mpnet: CogServer) -> None:
    texts = ["", LONG, "short", "A text of middling length, for the middle.", LONG[:500], "short"]
    batch = embed(mpnet, texts)
    singles = np.array([mpnet.output(text=text)[0]["embedding"] for text in texts])
    assert np.allclose(batch, singles, atol=1e-4)
    assert np.allclose(np.linalg.norm(batch, axis=1), 1.0, atol=1e-5)


def test_what_comes_after_384_word_pieces_is_not_read(mpnet: CogServer) -> None:
    first, second, other = embed(mpnet, [LONG, LONG + "Penguins.", "Penguins. " + LONG])
    assert first @ second == pytest.approx(1.0, abs=1e-5)
    assert first @ other < 0.9999


def test_meaning(mpnet: CogServer) -> None:
    question, answer, other = embed(
        mpnet,
        [
            "reason the Atlantic is so briny",
            "Rivers carry dissolved salt from rocks into the sea.",
            "The committee met on Tuesday to settle the budget.",
        ],
    )
    assert question @ answer > question @ other + 0.2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "Give either text or text_batch."),
        ({"text": "a", "text_batch": '["b"]'}, "Give either text or text_batch."),
        ({"text_batch": "a, b"}, "text_batch is not JSON"),
        ({"text_batch": '{"a": "b"}'}, "text_batch must be a JSON list of strings."),
        ({"text_batch": '["a", 7]'}, "text_batch must be a JSON list of strings."),
        ({"text_batch": "[]"}, "text_batch is an empty list."),
    ],
)
def test_bad_input_is_named(mpnet: CogServer, given: dict[str, str], words: str) -> None:
    assert words in mpnet.error(**given)


def test_batches_hold_texts_of_like_length_within_the_budget() -> None:
    batching = load("all-mpnet-base-v2", "batching")
    lengths = [5, 384, 100, 7, 384, 99, 6]
    batches = list(batching.batches(lengths, 512))
    assert sorted(index for batch in batches for index in batch) == list(range(7))
    assert batches == [[1], [4], [2, 5, 3, 6, 0]]
    assert list(batching.batches([900], 512)) == [[0]]
    assert list(batching.batches([], 512)) == []


def test_int8_stays_near_to_float32() -> None:
    texts = [
        " ".join(words[start : start + 100])
        for path in sorted((ROOT / "examples" / "texts").glob("*.txt"))
        for words in [path.read_text("utf-8").split()]
        for start in range(0, len(words), 100)
    ]
    embedder = module_of("all-mpnet-base-v2", "embedder")
    folder = weights.ensure("all-mpnet-base-v2")
    exact = embedder.Embedder(folder).embed(texts)
    quick = embedder.Embedder(folder, in_int8=True).embed(texts)
    assert np.allclose(np.linalg.norm(quick, axis=1), 1.0, atol=1e-5)
    cosines = (exact * quick).sum(axis=1)
    assert cosines.min() > 0.99
    assert cosines.mean() > 0.996


def test_the_compiled_graph_is_kept_and_made_again_when_it_is_damaged(tmp_path: Path) -> None:
    embedder = module_of("all-mpnet-base-v2", "embedder")
    for path in weights.ensure("all-mpnet-base-v2").iterdir():
        if not path.name.startswith("compiled"):
            (tmp_path / path.name).symlink_to(path)

    def vectors() -> tuple[np.ndarray, float]:
        """Those of a model that is loaded now, and when its kept graph was written."""
        found = embedder.Embedder(tmp_path, in_int8=True).embed(["The first text.", LONG])
        (kept,) = tmp_path.glob("compiled-int8-*")
        return found, kept.stat().st_mtime

    first, written = vectors()
    again, then = vectors()
    assert then == written
    assert np.allclose(first, again, atol=1e-6)
    (kept,) = tmp_path.glob("compiled-int8-*")
    os.truncate(kept, 1_000_000)
    mended, written_again = vectors()
    assert written_again > written
    assert np.allclose(first, mended, atol=1e-6)


def test_predictions_at_once_get_their_own_vectors(mpnet: CogServer) -> None:
    batches = [[f"Text {number} of batch {batch}." for number in range(7)] for batch in range(6)]
    alone = [embed(mpnet, texts) for texts in batches]
    with ThreadPoolExecutor(len(batches)) as threads:
        together = list(threads.map(lambda texts: embed(mpnet, texts), batches))
    assert np.allclose(alone, together, atol=1e-4)


@pytest.mark.parametrize(
    ("urgent", "taken"),
    [
        (None, [100, 101, 102, 110]),
        (7, [7, 8]),
        (300, [300]),
    ],
)
def test_a_batch_holds_the_next_text_and_the_nearest_in_length(
    urgent: int | None, taken: list[int]
) -> None:
    collector = module_of("all-mpnet-base-v2", "collector")
    lengths = [7, 8, 100, 101, 102, 110, 290, 300]
    waiting = [
        collector.Text(length, (length != urgent, 0 if length == 101 else 1), [], 0, None)
        for length in lengths
    ]
    batch = collector.take(waiting, 450)
    assert [text.length for text in batch] == taken
    assert sorted([*(text.length for text in waiting), *taken]) == lengths


def test_an_unknown_precision_is_refused() -> None:
    predict = module_of("all-mpnet-base-v2", "predict")
    with pytest.raises(ValueError, match="auto, int8 or float32"):
        predict.wants_int8("bf16")
