"""The embedding model's inputs and outputs, at once, and with the end that the texts ask for.

A vector is a random one, the same for the same text. A text may hold `vectors:fail`,
`vectors:null`, `vectors:wrong`, `vectors:wait` (until cancelled, a minute at most) or
`vectors:slow` (a second).
"""

import json
import time
from typing import Any

import numpy as np
from cog import BaseRunner, Input  # type: ignore[import-untyped]


class Predictor(BaseRunner):  # type: ignore[misc]
    def run(
        self,
        text: str | None = Input(default=None),
        text_batch: str | None = Input(default=None),
    ) -> Any:
        texts = json.loads(text_batch) if text_batch is not None else [text or ""]
        whole = " ".join(texts)
        _work(60.0 if "vectors:wait" in whole else 1.0 if "vectors:slow" in whole else 0.0)
        if "vectors:fail" in whole:
            raise ValueError("told to fail")
        if "vectors:null" in whole:
            return None
        if "vectors:wrong" in whole:
            return [{"embedding": [0.5] * 7}]
        return [{"embedding": _vector(one)} for one in texts]


def _vector(text: str) -> list[float]:
    vector = np.random.default_rng(list(text.encode())).standard_normal(768)
    return [float(number) for number in vector / np.linalg.norm(vector)]


def _work(seconds: float) -> None:
    """In small steps: a cancellation is an exception between two of them."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.02)
