"""Runs the server in one process or in several."""

from __future__ import annotations

import resource
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import uvicorn
from uvicorn.supervisors import Multiprocess

from .connections import Connections
from .front import Front
from .limits import Limits
from .protocol import GuardedProtocol
from .quiet import QuietServer

# Files of a process beside its connections: the database's, the services', the program's own.
OTHER_FILES = 500
# Connections that the kernel keeps until they are taken, all at once.
BACKLOG = 256
# Seconds for the start of a process on a busy machine; also for an answer to the parent, which
# replaces a process that does not give one.
START_SECONDS = 30
# Seconds for requests under way after a signal to stop.
STOP_SECONDS = 8


def run(
    factory: str,
    host: str,
    port: int,
    *,
    processes: int = 1,
    access_log: bool = False,
    limits: Limits | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is under way.

    `factory` names what makes the `Front` of a process: "module:function". Each process has the
    limits for itself. On SIGHUP several processes are replaced one by one.
    """
    limits = limits or Limits()
    config = configure(factory, limits, host, port, processes, access_log=access_log)
    _allow_files(limits.connections + OTHER_FILES)
    listener = config.bind_socket()
    if processes > 1:
        Multiprocess(config, [listener]).run()
    else:
        config.load()
        QuietServer(config).run([listener])


def configure(
    factory: str | Callable[[], Front],
    limits: Limits,
    host: str,
    port: int,
    processes: int = 1,
    *,
    access_log: bool = False,
) -> uvicorn.Config:
    """How uvicorn serves. It logs as the application has set up its logging."""
    return uvicorn.Config(
        cast(Any, factory),
        factory=True,
        host=host,
        port=port,
        workers=processes,
        http=cast(Any, partial(GuardedProtocol, limits, Connections(limits))),
        ws="none",
        loop="asyncio",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=access_log,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        h11_max_incomplete_event_size=limits.header_bytes,
        timeout_keep_alive=cast(int, limits.idle),
        timeout_graceful_shutdown=STOP_SECONDS,
        timeout_worker_healthcheck=START_SECONDS,
    )


def _allow_files(number: int) -> None:
    """Allow this process, and those that it starts, to open so many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
