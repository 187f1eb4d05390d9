"""Serves the gateway: `python -m localcloud.hookdeck --port P --data-dir DIR`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import uvicorn

from localcloud.hookdeck.server import Gateway, Settings, create_app

_HOST = "127.0.0.1"


def _settings(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Settings:
    names = ("HOOKDECK_PROJECT_API_KEY", "HOOKDECK_WEBHOOK_SECRET")
    missing = [name for name in names if not environment.get(name, "").strip()]
    if missing:
        sys.exit(f"localcloud.hookdeck: not set: {', '.join(missing)}")
    secrets = environment["HOOKDECK_WEBHOOK_SECRET"].split(",")
    base_url = arguments.public_url or f"http://{_HOST}:{arguments.port}"
    return Settings(
        data_dir=arguments.data_dir,
        base_url=base_url.rstrip("/"),
        api_key=environment["HOOKDECK_PROJECT_API_KEY"],
        secrets=[secret.strip() for secret in secrets if secret.strip()][:2],
        time_scale=arguments.time_scale,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m localcloud.hookdeck", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--public-url", help="the URL of the sources, if it is not the port's")
    parser.add_argument(
        "--time-scale",
        type=float,
        default=1.0,
        help="multiplies the pauses before retries and the delays of rules, for tests",
    )
    return parser.parse_args()


async def _serve(settings: Settings, port: int) -> bool:
    gateway = Gateway(settings)
    config = uvicorn.Config(
        create_app(gateway),
        host=_HOST,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    server = uvicorn.Server(config)
    await server.serve()
    return server.started


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    arguments = _arguments()
    logging.basicConfig(
        stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = _settings(arguments, os.environ)
    if not asyncio.run(_serve(settings, arguments.port)):
        sys.exit(1)


if __name__ == "__main__":
    main()
