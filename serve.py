"""Serves the app: python -m serve --port 8000

Each process of the sandbox imports this module as its main one, so it imports the app in its
functions alone: that takes 0.7 CPU seconds.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guardedserve import Front

# The exit code after which uvicorn does not start a process again.
FAILED = 3


def front() -> Front:
    """The app, made from the settings and ready for the first request, as one process serves it."""
    from allthethings.web.rules import RULES
    from allthethings.web.services import parts_of
    from app import create_app
    from config import SettingsError
    from guardedserve import Front

    try:
        app = create_app()
    except SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(FAILED)
    parts_of(app).prepare()
    for name in app.jinja_env.list_templates():
        app.jinja_env.get_template(name)  # compiled once
    return Front(app, RULES)


def main() -> None:
    """Serve until told to stop."""
    from config import Settings, SettingsError
    from guardedserve import Limits, run

    try:
        settings = Settings.from_env()
        settings.check()
    except SettingsError as error:
        sys.exit(str(error))
    parser = argparse.ArgumentParser(prog="serve", description="Serve the app over HTTP.")
    parser.add_argument("--host", default=settings.host, help="the address to listen on (HOST)")
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--access-log", action="store_true", help="log each request")
    chosen = parser.parse_args()
    limits = Limits()
    if settings.trusted_proxies:  # all connections come from the proxy
        limits = replace(limits, per_address=0)
    run(
        "serve:front",
        chosen.host,
        chosen.port,
        processes=settings.processes,
        access_log=chosen.access_log,
        limits=limits,
    )


if __name__ == "__main__":
    main()
