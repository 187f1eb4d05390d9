"""A model for tests: it echoes, sleeps, fails or dies, as its input says."""

import os
import pathlib
import signal
import time
from typing import Any

from cog import BaseRunner, Input, Path  # type: ignore[import-untyped]


class Predictor(BaseRunner):  # type: ignore[misc]
    def run(
        self,
        text: str = Input(description="What to say", default="hello", max_length=1000),
        times: int = Input(description="How often", default=1, ge=1, le=10),
        mode: str = Input(choices=["echo", "sleep", "fail", "die", "eat"], default="echo"),
        seconds: float = Input(description="How long to sleep", default=0.0, ge=0, le=60),
        file: Path | None = Input(description="A text to say instead", default=None),  # noqa: B008
        diary: str | None = Input(description="A file that gets a line a run", default=None),
    ) -> dict[str, Any]:
        if diary:
            with pathlib.Path(diary).open("a") as lines:
                lines.write(f"{text}\n")
        print(f"mode {mode}", flush=True)
        if mode == "sleep":
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                time.sleep(0.05)
        if mode == "fail":
            raise ValueError("told to fail")
        if mode == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        eaten = []
        while mode == "eat":
            eaten.append(b"a" * 10_000_000)
            time.sleep(0.01)
        said = file.read_text() if file else text
        return {"said": said * times, "suffix": file.suffix if file else None}
