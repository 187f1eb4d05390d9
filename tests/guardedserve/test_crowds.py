"""Too many connections, too much kept for them: those that have kept the server waiting longest
give way."""

from __future__ import annotations

from select import select

from guardedserve.connections import Connections
from guardedserve.limits import Limits
from tests.guardedserve.conftest import Client, Start, hello, request
from tests.guardedserve.test_slow_clients import HALF_A_HEAD
from tools.harness.waiting import wait_for


class One:
    """A connection that notes whether it was cut."""

    def __init__(self, address: str = "a") -> None:
        self.address = address
        self.is_cut = False

    def cut(self) -> None:
        self.is_cut = True


def admitted(connections: Connections, *ones: One) -> list[bool]:
    return [connections.admit(one) for one in ones]


def cut(*ones: One) -> list[bool]:
    return [one.is_cut for one in ones]


def test_the_one_that_waits_longest_gives_way() -> None:
    connections, ones = Connections(Limits(connections=3)), [One() for _ in range(5)]
    assert admitted(connections, *ones[:3]) == [True] * 3
    connections.answer(ones[0])
    connections.wait(ones[1])  # as it did: another byte has come
    assert admitted(connections, *ones[3:]) == [True] * 2
    assert cut(*ones) == [False, True, True, False, False]
    assert len(connections) == 3


def test_nobody_gives_way_who_is_being_answered() -> None:
    connections, ones = Connections(Limits(connections=2)), [One() for _ in range(3)]
    admitted(connections, *ones[:2])
    for one in ones[:2]:
        connections.answer(one)
    assert not connections.admit(ones[2])
    assert cut(*ones) == [False] * 3
    connections.leave(ones[0])
    assert connections.admit(ones[2])


def test_one_address_crowds_out_itself_alone() -> None:
    connections, other = Connections(Limits(per_address=2)), One("b")
    ones = [One() for _ in range(4)]
    assert admitted(connections, other, *ones) == [True] * 5
    assert cut(other, *ones) == [False, True, True, False, False]


def test_no_bound_for_an_address_behind_a_proxy() -> None:
    connections, ones = Connections(Limits(per_address=0)), [One() for _ in range(500)]
    assert all(admitted(connections, *ones))
    assert not any(cut(*ones))


def test_what_is_kept_is_bounded() -> None:
    connections, ones = Connections(Limits(held=100)), [One() for _ in range(4)]
    admitted(connections, *ones)
    assert all(connections.hold(one, 30) for one in ones)
    assert cut(*ones) == [True, False, False, False]
    connections.hold(ones[1], 0)
    connections.hold(ones[3], 60)
    assert cut(*ones) == [True, False, False, False]
    connections.hold(ones[3], 90)
    assert cut(*ones) == [True, False, True, False]


def test_the_quick_do_not_give_way_for_more() -> None:
    now = 0.0
    connections, ones = Connections(Limits(held=100), lambda: now), [One() for _ in range(3)]
    admitted(connections, *ones)
    assert connections.hold(ones[0], 80, patience=10.0)
    now = 5.0
    assert not connections.hold(ones[1], 80, patience=10.0)
    assert cut(*ones) == [False] * 3
    connections.hold(ones[1], 0)
    now = 11.0
    assert connections.hold(ones[2], 80, patience=10.0)
    assert cut(*ones) == [True, False, False]


def test_nothing_is_remembered_of_those_who_left() -> None:
    connections, one = Connections(Limits(held=100)), One()
    connections.admit(one)
    connections.hold(one, 50)
    connections.leave(one)
    connections.leave(one)
    connections.wait(one)
    connections.hold(one, 50)
    assert vars(connections) == vars(Connections(connections._limits))


def test_half_requests_of_one_address_do_not_keep_it_out(start: Start) -> None:
    served = start(hello, connections=20, per_address=10, headers=1000.0, idle=1000.0)
    first = [served.connect(HALF_A_HEAD) for _ in range(10)]
    assert served.get()[0] == 200
    assert first[0].is_closed()
    for number in range(3):
        for _ in range(10):
            served.connect(HALF_A_HEAD, f"127.0.0.{number + 2}")
    assert served.get(address="127.0.0.9")[0] == 200


def test_bodies_that_stall_are_bounded_in_memory(start: Start) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    served = start(hello, held=2_000_000, grace=1000.0)
    clients = [served.connect(head + b"x" * 900_000) for _ in range(4)]

    def answered() -> list[Client]:
        readable, _, _ = select([client.socket for client in clients], [], [], 0)
        return [client for client in clients if client.socket in readable]

    wait_for(lambda: len(answered()) == 2, "two refusals")
    refused = answered()
    for client in clients:
        client.send(b"x" * 100_000)
        status, headers, _ = client.answer()
        assert (status, headers.get("retry-after")) == (
            (503, "5") if client in refused else (200, None)
        )


def test_bodies_that_stall_give_way(start: Start) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    served = start(hello, held=2_000_000, grace=0.0, slowest=1000)
    clients = [served.connect(head + b"x" * 900_000) for _ in range(4)]
    assert clients[0].is_closed()
    assert served.connect(request("/", method="POST", body=b"x" * 900_000)).answer()[0] == 200
