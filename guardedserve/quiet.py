"""A server that does nothing while nothing happens: uvicorn's own wakes ten times a second to see
whether it is to end."""

from __future__ import annotations

import asyncio
import contextlib

import uvicorn

# Seconds between two updates of the Date header.
TICK = 1.0


class QuietServer(uvicorn.Server):
    """Ends as soon as `should_exit` is set, in any thread or by a signal."""

    def __init__(self, config: uvicorn.Config) -> None:
        self._ends = False
        self._ended = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        super().__init__(config)

    @property
    def should_exit(self) -> bool:
        """Whether the server is to end."""
        return self._ends

    @should_exit.setter
    def should_exit(self, ends: bool) -> None:
        self._ends = ends
        if ends and self._loop is not None:
            self._loop.call_soon_threadsafe(self._ended.set)

    async def main_loop(self) -> None:
        """Wait until the server is to end."""
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await self._ended.wait()
