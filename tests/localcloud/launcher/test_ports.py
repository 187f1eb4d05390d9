from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from localcloud.ports import INNER_PORTS, SHARES, choose_ports, pick_port
from localcloud.processes import port_is_free


@pytest.fixture
def taken_port() -> Iterator[int]:
    port = pick_port()
    with socket.create_server(("127.0.0.1", port)):
        yield port


def test_every_name_gets_its_own_free_port() -> None:
    ports = choose_ports(["a", "b", "c"], {})
    assert len(set(ports.values())) == 3
    assert all(port in INNER_PORTS and port_is_free(port) for port in ports.values())


def test_processes_look_in_different_places(monkeypatch: pytest.MonkeyPatch) -> None:
    picked = []
    for pid in (1000, 1001):
        monkeypatch.setattr("os.getpid", lambda pid=pid: pid)
        picked.append({pick_port() for _ in range(100)})
    assert not picked[0] & picked[1]


def test_a_port_is_found_where_its_share_is_taken() -> None:
    one = pick_port()
    share = {port for port in INNER_PORTS if (port - one) % SHARES == 0}
    assert pick_port(share) not in share
    with pytest.raises(OSError, match="no port from 20000 to 31999 is free"):
        pick_port(INNER_PORTS)


def test_a_remembered_port_is_used_again() -> None:
    remembered = choose_ports(["a", "b"], {})
    assert choose_ports(["a", "b"], remembered) == remembered


def test_a_remembered_port_that_stays_taken_is_replaced(taken_port: int) -> None:
    ports = choose_ports(["a"], {"a": taken_port}, timeout=0.1)
    assert ports["a"] != taken_port


def test_a_remembered_port_is_waited_for() -> None:
    port = pick_port()
    server = socket.create_server(("127.0.0.1", port))
    threading.Timer(0.2, server.close).start()
    assert choose_ports(["a"], {"a": port}, timeout=10.0) == {"a": port}


def test_a_taken_port_is_not_free(taken_port: int) -> None:
    assert not port_is_free(taken_port)


def test_a_host_of_another_machine_is_an_error() -> None:
    with pytest.raises(OSError, match="assign"):
        port_is_free(pick_port(), "192.0.2.1")
