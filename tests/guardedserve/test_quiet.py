"""A server that sleeps ends when it is told to."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable

import pytest
import uvicorn
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

from guardedserve import QuietServer, quiet
from tools.harness.waiting import PATIENCE


def told(server: QuietServer) -> None:
    server.should_exit = True


def signalled(_: QuietServer) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("end", [told, signalled])
def test_it_ends_while_it_sleeps(
    end: Callable[[QuietServer], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quiet, "TICK", 10 * PATIENCE)
    server = QuietServer(
        uvicorn.Config(_nothing, interface="asgi3", lifespan="off", port=0, log_config=None)
    )

    async def serve() -> None:
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0)
        threading.Thread(target=end, args=(server,)).start()
        await asyncio.wait_for(serving, PATIENCE)

    handled = signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn raises it again at its end
    try:
        asyncio.run(serve())
    finally:
        signal.signal(signal.SIGTERM, handled)


async def _nothing(_scope: Scope, _receive: ASGIReceiveCallable, _send: ASGISendCallable) -> None:
    """An app that nobody asks."""
