"""Chooses the ports of the stand-ins, and reuses them at later starts."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import chain

from localcloud.processes import port_is_free

# These lie below the ports of outgoing connections, one of which could otherwise take a server's
# port while the server is restarted.
INNER_PORTS = range(20_000, 32_000)
SHARES = 64


def choose_ports(
    names: Iterable[str], remembered: Mapping[str, int], *, timeout: float = 3.0
) -> dict[str, int]:
    """A free port for every name: the remembered one if it is free within `timeout` seconds.

    Callback URLs of unfinished work contain these ports, and a copy that was just killed may
    still hold them.
    """
    deadline = time.monotonic() + timeout
    ports: dict[str, int] = {}
    for name in names:
        port = remembered.get(name)
        kept = port is not None and wait_until_free(port, "127.0.0.1", deadline)
        ports[name] = port if kept and port is not None else pick_port(ports.values())
    return ports


def wait_until_free(port: int, host: str, deadline: float) -> bool:
    """Whether the port becomes free before `deadline`, a time of time.monotonic."""
    while not port_is_free(port, host):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def pick_port(taken: Container[int] = ()) -> int:
    """A free port of INNER_PORTS that is not in `taken`. Raises OSError if there is none.

    Each process looks in a share of its own first: a port is bound some time after it was picked,
    and two copies that start together would now and then pick the same.
    """
    shares = [INNER_PORTS[start::SHARES] for start in range(SHARES)]
    own = shares.pop(os.getpid() % SHARES)
    for port in (*_shuffled(own), *_shuffled(chain(*shares))):
        if port not in taken and port_is_free(port):
            return port
    raise OSError(f"no port from {INNER_PORTS.start} to {INNER_PORTS.stop - 1} is free")


def _shuffled(ports: Iterable[int]) -> Sequence[int]:
    ports = list(ports)
    random.shuffle(ports)
    return ports
