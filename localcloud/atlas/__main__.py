"""Serves MongoDB's wire protocol with the search commands: `python -m localcloud.atlas`."""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import logging
import os
import resource
import signal
import sys
import threading
from pathlib import Path

from localcloud.atlas.index.follower import Pace
from localcloud.atlas.index.indexes import Indexes
from localcloud.atlas.wire.commands import Services
from localcloud.atlas.wire.proxy import Proxy
from localcloud.atlas.wire.searching import Searches
from localcloud.atlas.wire.upstream import Upstream, WriteClock
from localcloud.logs import log_to_stdout

log = logging.getLogger("atlas")

# Seconds after which a thread that computes lets another one run. With Python's own 5 ms, each
# message of one search may wait so long for the highlights of another.
SWITCH_SECONDS = 0.0005


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m localcloud.atlas", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="the port for drivers")
    parser.add_argument("--upstream-port", type=int, required=True, help="SecantusDB's port")
    parser.add_argument("--data-dir", type=Path, required=True, help="the folder for the indexes")
    parser.add_argument(
        "--search-wait",
        type=float,
        default=Pace.wait,
        metavar="SECONDS",
        help="how long a search waits for an index that is behind its collection",
    )
    parser.add_argument(
        "--search-lag",
        type=float,
        default=Pace.lag,
        metavar="SECONDS",
        help="how long after a write searches answer without it, as Atlas' do",
    )
    parser.add_argument(
        "--index-build",
        type=float,
        default=Pace.build,
        metavar="SECONDS",
        help="how long a new index is built at least",
    )
    arguments = parser.parse_args()
    log_to_stdout("%(name)s %(message)s")
    threading.excepthook = _die
    sys.setswitchinterval(SWITCH_SECONDS)
    _allow_connections()
    arguments.data_dir.mkdir(parents=True, exist_ok=True)
    with (arguments.data_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            parser.error(f"another process uses {arguments.data_dir}")
        asyncio.run(_serve(arguments))
        logging.shutdown()
        os._exit(0)  # pymongo would wait up to half a second for threads of its closed client


def _allow_connections() -> None:
    """Raise the soft limit of open files to the hard one: a client connection takes two."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:  # macOS refuses an infinite soft limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _die(arguments: threading.ExceptHookArgs) -> None:
    """End the process when a thread fails, since an index without a follower grows stale."""
    error = arguments.exc_value or arguments.exc_type()
    log.critical("thread failed, ending the process", exc_info=error)
    logging.shutdown()
    os._exit(1)


async def _serve(arguments: argparse.Namespace) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    port = arguments.upstream_port
    upstream, clock = Upstream(port), WriteClock()
    pace = Pace(arguments.search_wait, arguments.search_lag, arguments.index_build)
    indexes = Indexes(arguments.data_dir, upstream, clock, pace)
    proxy = Proxy(port, Services(indexes, Searches(indexes)), clock)
    await proxy.start(arguments.port)
    log.info("listening on 127.0.0.1:%d for the server on port %d", arguments.port, port)
    await stopping.wait()
    await proxy.stop()
    await asyncio.to_thread(indexes.stop)
    upstream.close()


if __name__ == "__main__":
    main()
