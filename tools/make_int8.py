"""Makes the file by which all-mpnet-base-v2 runs in 8-bit integers.

    python -m tools.make_int8

Runs paragraphs and questions of XQuAD through the model in float32, notes the least and the
greatest value of each channel of each product's input, and writes the factors and ranges that
localcloud/models/all-mpnet-base-v2/int8.py reads. Then it prints how near the vectors of the other
paragraphs are to those in float32.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

from localcloud.weights import cache
from tools.harness.models import module_of
from tools.harness.xquad import DATA, read

# How much of the difference between channels goes from the inputs to the weights. SmoothQuant's
# usual 0.5 gives useless vectors here (a mean cosine of 0.82); 0.75 and 0.85 are worse than 0.8.
ALPHA = 0.8
# The products that stay in float32: the last layer's, and the second of the feed-forward part of
# the four layers before it. They do the most harm, and are few.
KEPT = {*range(44, 48), 31, 35, 39, 43}
# Paragraphs and questions to calibrate with.
PARAGRAPHS, QUESTIONS = 40, 20

Floats = NDArray[np.float32]

int8 = module_of("all-mpnet-base-v2", "int8")
graph = module_of("all-mpnet-base-v2", "graph")
embedder = module_of("all-mpnet-base-v2", "embedder")


def bounds(folder: Path, texts: Sequence[str]) -> list[tuple[Floats, Floats]]:
    """The least and the greatest value of each channel of each product's input."""
    model = graph.load(folder)
    inputs = [op.result(product.input_value(0)) for product in int8.products(model)]
    watched = ov.Model(inputs, model.get_parameters(), "watched")
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    request = ov.Core().compile_model(watched, "CPU", exact).create_infer_request()
    low = [np.full(1, np.inf, np.float32)] * len(inputs)
    high = [np.full(1, -np.inf, np.float32)] * len(inputs)
    tokenizer = embedder.load_tokenizer(folder)
    for encoded in tokenizer.encode_batch(list(texts)):
        seen = request.infer(embedder.feed([encoded.ids]))
        for number in range(len(inputs)):
            low[number] = np.minimum(low[number], seen[number].min(axis=(0, 1)))
            high[number] = np.maximum(high[number], seen[number].max(axis=(0, 1)))
    return list(zip(low, high, strict=True))


def factors_and_range(weights: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """The smoothing factor of each channel, and the ends of the smoothed input."""
    largest = np.maximum(np.maximum(high, -low), 1e-5)
    factors = largest**ALPHA / np.maximum(np.abs(weights).max(axis=0), 1e-5) ** (1 - ALPHA)
    factors = factors.astype(np.float16).astype(np.float32)
    least, most = min(0.0, (low / factors).min()), max(0.0, (high / factors).max())
    step = (most - least) / 255  # zero has to be one of the 256 steps
    below = round(-least / step)
    return factors, np.array([-below * step, (255 - below) * step], np.float32)


def main() -> int:
    folder = cache.ensure("all-mpnet-base-v2")
    articles, questions = read(DATA)
    paragraphs = [text for article in articles for text in article.paragraphs]
    chosen = [*paragraphs[:PARAGRAPHS], *(question.text for question in questions[:QUESTIONS])]
    parts: dict[str, Any] = {}
    products = int8.products(graph.load(folder))
    for number, (low, high) in enumerate(bounds(folder, chosen)):
        if number not in KEPT:
            weights = int8.weights_of(products[number])
            factors, ends = factors_and_range(weights, low, high)
            parts |= {f"{number}.factors": factors.astype(np.float16), f"{number}.range": ends}
    np.savez(int8.FILE, **parts)
    rest = paragraphs[PARAGRAPHS:]
    exact = embedder.Embedder(folder, in_int8=False).embed(rest)
    cosines = (exact * embedder.Embedder(folder, in_int8=True).embed(rest)).sum(axis=1)
    print(f"cosine to float32: mean {cosines.mean():.4f}, worst {cosines.min():.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
