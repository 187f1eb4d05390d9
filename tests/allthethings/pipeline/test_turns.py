"""Who asked first does not keep the others waiting, nor does a slow host."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any, cast

import pytest

from allthethings.pipeline.checks import MAX_URLS, Checks, Outcome
from allthethings.pipeline.submission import Preview
from allthethings.pipeline.turns import PER_HOST, THREADS, Turns
from tools.harness.waiting import wait_for


class Slow:
    """Work that takes until it is let go; `begun` are the hosts that it was begun for."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.let_go = threading.Event()

    def at(self, host: str) -> Callable[[], str]:
        def work() -> str:
            self.begun.append(host)
            assert self.let_go.wait(120)
            return host

        return work


@pytest.fixture
def slow() -> Iterator[Slow]:
    slow = Slow()
    yield slow
    slow.let_go.set()


def results(futures: list[Future[str]]) -> list[str]:
    return [future.result(120) for future in futures]


def noted(order: list[str], name: str) -> str:
    order.append(name)
    return name


def test_askers_take_turns(slow: Slow) -> None:
    turns, order = Turns(threads=1, spare=0), list[str]()
    first = turns.submit("nobody", "", slow.at(""))
    jobs = [
        turns.submit(asker, f"{asker}.test", partial(noted, order, f"{asker}{number}"))
        for asker in "abc"
        for number in range(3)
    ]
    slow.let_go.set()
    wait([first, *jobs], 120)
    assert order == ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"]


def test_long_lists_leave_threads_for_a_newcomer(slow: Slow) -> None:
    turns = Turns()
    lists = [
        turns.submit(asker, f"{asker}{number}.test", slow.at("list"))
        for asker in "abc"
        for number in range(MAX_URLS)
    ]
    wait_for(lambda: slow.begun, "the lists")
    assert turns.submit("newcomer", "new.test", lambda: "at once").result(120) == "at once"
    assert not any(future.done() for future in lists)
    slow.let_go.set()
    assert results(lists) == ["list"] * len(lists)


def test_who_has_the_fewest_under_way_goes_first(slow: Slow) -> None:
    turns, order, short = Turns(threads=2, spare=0), list[str](), Slow()
    begun = [turns.submit("list", "", slow.at("")), turns.submit("list", "", short.at(""))]
    jobs = [
        turns.submit(asker, "", partial(noted, order, asker))
        for asker in ("list", "newcomer", "newcomer")
    ]
    short.let_go.set()
    wait(jobs, 120)
    assert order == ["newcomer", "newcomer", "list"]
    slow.let_go.set()
    wait(begun, 120)


def test_a_host_is_asked_by_a_few_at_a_time_and_the_others_meanwhile() -> None:
    turns, lock = Turns(threads=8, spare=0, per_host=2), threading.Lock()
    under_way, most = Counter[str](), Counter[str]()
    held = threading.Event()

    def at(host: str) -> str:
        with lock:
            under_way[host] += 1
            most[host] = max(most[host], under_way[host])
        assert host != "slow.test" or held.wait(120)
        with lock:
            under_way[host] -= 1
        return host

    slow = [turns.submit("a", "slow.test", lambda: at("slow.test")) for _ in range(20)]
    others = [turns.submit("a", "other.test", lambda: at("other.test")) for _ in range(20)]
    assert results(others) == ["other.test"] * 20
    assert not any(future.done() for future in slow)
    held.set()
    assert results(slow) == ["slow.test"] * 20
    assert max(most.values()) == 2


def test_what_asks_no_host_is_not_counted(slow: Slow) -> None:
    turns = Turns(threads=4, spare=0, per_host=1)
    jobs = [turns.submit("a", "", slow.at("")) for _ in range(4)]
    wait_for(lambda: len(slow.begun) == 4, "all four")
    slow.let_go.set()
    assert results(jobs) == [""] * 4


def test_what_is_cancelled_is_not_done_and_what_fails_stops_nothing(slow: Slow) -> None:
    turns = Turns(threads=1, spare=0)
    first = turns.submit("a", "", slow.at("first"))
    wait_for(lambda: slow.begun, "the first")
    cancelled = turns.submit("a", "", slow.at("cancelled"))
    failing = turns.submit("a", "", lambda: 1 // 0)
    last = turns.submit("a", "", slow.at("last"))
    assert cancelled.cancel()
    assert not first.cancel()
    slow.let_go.set()
    with pytest.raises(ZeroDivisionError):
        failing.result(120)
    assert last.result(120) == "last"
    assert slow.begun == ["first", "last"]


class SlowSubmission:
    """In the place of Submission: URLs of hosts that begin with `slow` take until they are let
    go."""

    def __init__(self, slow: Slow) -> None:
        self._slow = slow

    def check(self, url: str) -> Preview:
        if "//slow" in url:
            self._slow.at(url)()
        return Preview(url, "web page", None, None)


@pytest.mark.parametrize("hosts", [MAX_URLS, 1])
def test_one_check_is_answered_while_three_long_lists_are_under_way(slow: Slow, hosts: int) -> None:
    checks = Checks(cast(Any, SlowSubmission(slow)), Turns())
    urls = [f"http://slow{number % hosts}.test/{number}" for number in range(MAX_URLS)]
    with ThreadPoolExecutor(3) as people:
        lists = [people.submit(checks.check, urls) for _ in range(3)]
        wait_for(lambda: len(slow.begun) >= min(PER_HOST, THREADS - 4), "the lists")
        (answer,) = checks.check(["http://quick.test/"])
        assert answer.outcome is Outcome.READY
        assert not any(each.done() for each in lists)
        slow.let_go.set()
        for each in lists:
            assert {one.outcome for one in each.result(120)} == {Outcome.READY}


def test_what_has_not_begun_is_cancelled_by_a_stop(slow: Slow) -> None:
    turns = Turns(threads=1, spare=0)
    under_way = turns.submit("a", "a.test", slow.at("a.test"))
    wait_for(lambda: slow.begun, "the first job")
    waiting = turns.submit("b", "b.test", slow.at("b.test"))
    turns.stop()
    late = turns.submit("c", "c.test", slow.at("c.test"))
    assert [waiting.cancelled(), late.cancelled(), under_way.done()] == [True, True, False]
    slow.let_go.set()
    assert under_way.result(120) == "a.test"
    assert slow.begun == ["a.test"]
