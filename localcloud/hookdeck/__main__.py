"""Serves the gateway: `python -m localcloud.hookdeck --port P --data-dir DIR`."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import uvicorn

from guardedserve import QuietServer
from localcloud.hookdeck.server import Gateway, Settings, create_app
from localcloud.logs import log_to_stdout
from localcloud.sqlite import Damaged

_HOST = "127.0.0.1"
# Requests are kept for a week, and so are their bodies at most.
_MAX_HOURS = 7 * 24


def _settings(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Settings:
    names = ("HOOKDECK_PROJECT_API_KEY", "HOOKDECK_WEBHOOK_SECRET")
    missing = [name for name in names if not environment.get(name, "").strip()]
    if missing:
        sys.exit(f"localcloud.hookdeck: not set: {', '.join(missing)}")
    return Settings(
        data_dir=arguments.data_dir,
        base_url=f"http://{_HOST}:{arguments.port}",
        api_key=environment["HOOKDECK_PROJECT_API_KEY"],
        secret=environment["HOOKDECK_WEBHOOK_SECRET"],
        time_scale=arguments.time_scale,
        keep_bodies=3600 * _hours(environment.get("KEEP_BODIES_HOURS") or "24"),
    )


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = -1.0
    if not 0 <= hours <= _MAX_HOURS:
        sys.exit(f"KEEP_BODIES_HOURS has to be a number from 0 to {_MAX_HOURS}.")
    return hours


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m localcloud.hookdeck", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument(
        "--time-scale",
        type=float,
        default=1.0,
        help="multiplies the pauses before retries and the delays of rules, for tests",
    )
    return parser.parse_args()


async def _serve(settings: Settings, port: int) -> bool:
    try:
        gateway = Gateway(settings)
    except Damaged as error:
        sys.exit(str(error))
    config = uvicorn.Config(
        create_app(gateway),
        host=_HOST,
        port=port,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    server = QuietServer(config)
    await server.serve()
    return server.started


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    arguments = _arguments()
    log_to_stdout("%(asctime)s %(levelname)s %(message)s")
    settings = _settings(arguments, os.environ)
    if not asyncio.run(_serve(settings, arguments.port)):
        sys.exit(1)


if __name__ == "__main__":
    main()
