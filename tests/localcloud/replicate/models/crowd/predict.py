"""A model for tests that runs four predictions at once, and tells how many it ran."""

import asyncio
import os
import pathlib
import signal

from cog import BaseRunner, Input, concurrent  # type: ignore[import-untyped]


class Predictor(BaseRunner):  # type: ignore[misc]
    def setup(self) -> None:
        self.running = 0
        self.most = 0

    @concurrent(max=4)  # type: ignore[untyped-decorator]
    async def run(
        self,
        company: int = Input(description="How many have to run before it ends", default=1),
        die: bool = Input(description="Whether to end the process then", default=False),
        diary: str | None = Input(description="A file that gets a line a run", default=None),
    ) -> int:
        if diary:
            with pathlib.Path(diary).open("a") as lines:
                lines.write(f"{company}\n")
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            while self.most < company:
                await asyncio.sleep(0.02)
            if die:
                os.kill(os.getpid(), signal.SIGKILL)
        finally:
            self.running -= 1
        return self.most
