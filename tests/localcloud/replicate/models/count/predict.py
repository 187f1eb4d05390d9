"""A model for tests whose output comes in pieces."""

import time
from collections.abc import Iterator

from cog import BaseRunner, Input  # type: ignore[import-untyped]


class Predictor(BaseRunner):  # type: ignore[misc]
    def run(
        self,
        to: int = Input(description="The last number", ge=1, le=100),
        pause: float = Input(description="Seconds before each number", default=0.0),
    ) -> Iterator[str]:
        for number in range(1, to + 1):
            time.sleep(pause)
            print(f"at {number}", flush=True)
            yield str(number)
