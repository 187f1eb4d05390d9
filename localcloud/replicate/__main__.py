"""Serves Replicate's API: `python -m localcloud.replicate --port P --data-dir DIR`.

It reads REPLICATE_API_TOKEN, REPLICATE_WEBHOOKS_SECRET (whsec_...) and FETCH_ALLOW from the
environment, and passes all other variables on to the models.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import uvicorn

from guardedserve import QuietServer
from localcloud.logs import log_to_stdout
from localcloud.replicate.app import create_app
from localcloud.replicate.memory import GIBIBYTE, default_limit
from localcloud.replicate.registry import BadManifest
from localcloud.replicate.service import (
    INPUT_DEADLINE,
    MAX_INPUT_BYTES,
    MEBIBYTE,
    Service,
    Settings,
    stage_models,
)
from localcloud.replicate.staging import BrokenModel
from localcloud.replicate.webhook_sender import BadSecret, Signer
from localcloud.sqlite import Damaged

log = logging.getLogger("localcloud.replicate")
_MODELS = Path(__file__).resolve().parents[1] / "models"


def main(arguments: Sequence[str] | None = None) -> int:
    log_to_stdout("%(asctime)s %(message)s")
    try:
        settings = read_settings(arguments, os.environ)
        asyncio.run(serve(settings))
    except (BadManifest, BadSecret, BrokenModel, Damaged) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def read_settings(arguments: Sequence[str] | None, environment: Mapping[str, str]) -> Settings:
    """The settings from the command line and the environment. Exits if they are wrong."""
    parser = argparse.ArgumentParser(prog="localcloud.replicate")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--models-dir", type=Path, default=_MODELS)
    parser.add_argument("--keep-data", type=float, default=3600.0, metavar="SECONDS")
    parser.add_argument(
        "--max-input", type=float, default=MAX_INPUT_BYTES / MEBIBYTE, metavar="MIB"
    )
    parser.add_argument("--input-deadline", type=float, default=INPUT_DEADLINE, metavar="SECONDS")
    parser.add_argument(
        "--model-memory", type=float, default=default_limit() / GIBIBYTE, metavar="GIB"
    )
    parser.add_argument("--webhook-pause", type=float, default=1.0, metavar="SECONDS")
    given = parser.parse_args(arguments)
    for name in ("REPLICATE_API_TOKEN", "REPLICATE_WEBHOOKS_SECRET"):
        if not environment.get(name):
            parser.error(f"{name} is not set")
    Signer(environment["REPLICATE_WEBHOOKS_SECRET"])
    return Settings(
        port=given.port,
        data_dir=given.data_dir.resolve(),
        models_dir=given.models_dir.resolve(),
        token=environment["REPLICATE_API_TOKEN"],
        webhook_secret=environment["REPLICATE_WEBHOOKS_SECRET"],
        environment=dict(environment),
        fetch_allow=environment.get("FETCH_ALLOW", ""),
        max_input_bytes=int(given.max_input * MEBIBYTE),
        input_deadline=given.input_deadline,
        max_memory=int(given.model_memory * GIBIBYTE),
        keep_data=timedelta(seconds=given.keep_data),
        webhook_pause=given.webhook_pause,
    )


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    service = Service(settings, await stage_models(settings))
    config = uvicorn.Config(
        create_app(service),
        host="127.0.0.1",
        port=settings.port,
        log_config=None,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    server = QuietServer(config)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _ignore)  # uvicorn raises the signal again after its shutdown
    working = asyncio.create_task(service.run())
    working.add_done_callback(lambda _task: setattr(server, "should_exit", True))
    log.info("Replicate's API is at %s", settings.base)
    await server.serve()
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working


def _ignore(_number: int, _frame: object) -> None:
    return


if __name__ == "__main__":
    sys.exit(main())
