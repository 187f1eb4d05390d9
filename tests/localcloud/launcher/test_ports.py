from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from localcloud.ports import INNER_PORTS, choose_ports, pick_port
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
