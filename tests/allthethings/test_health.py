"""Whether the parts answer: asked all at once, and seldom for strangers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from allthethings.errors import ServiceUnavailable
from allthethings.health import FRESH, Health


class World:
    """A part that counts how often it is asked, a time, and the health over both."""

    def __init__(self, check: Callable[[], None] = lambda: None) -> None:
        self.asked = 0
        self.time = 1000.0
        self._check = check
        self.health = Health({"part": self._ask}, lambda: self.time)

    def _ask(self) -> None:
        self.asked += 1
        self._check()


def test_a_part_says_ok_or_why_not() -> None:
    def away() -> None:
        raise ServiceUnavailable("Replicate", "no answer")

    states = Health({"one": lambda: None, "two": away}).now()
    assert states == {"one": "ok", "two": "Replicate is not available: no answer"}


def test_strangers_get_an_answer_that_is_kept() -> None:
    world = World()
    assert [world.health.lately() for _ in range(5)] == [{"part": "ok"}] * 5
    assert world.asked == 1
    world.time += FRESH + 1
    world.health.lately()
    assert world.asked == 2


def test_others_get_the_present_state() -> None:
    world = World()
    for number in range(3):
        world.time += 0.001
        world.health.now()
        assert world.asked == number + 1


def test_nobody_waits_for_a_part_that_hangs_if_something_is_known() -> None:
    go, hanging = threading.Event(), threading.Event()

    def check() -> None:
        if world.asked > 1:
            hanging.set()
            go.wait()

    world = World(check)
    world.health.lately()
    world.time += FRESH + 1
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(world.health.lately)
        hanging.wait()
        assert world.health.lately() == {"part": "ok"}
        assert world.asked == 2
        go.set()
        assert waiting.result() == {"part": "ok"}


def test_the_parts_are_asked_at_once() -> None:
    both = threading.Barrier(2)

    def meet() -> None:
        both.wait(60)

    assert Health({"one": meet, "two": meet}).now() == {"one": "ok", "two": "ok"}
