"""The commands that run the worker take sensible options, and end when they are told to."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest
from flask import Flask

from allthethings.pipeline.worker import Worker
from allthethings.web.commands import add_worker_commands


class Busy:
    """It runs until it is told to stop by the signal that comes while it holds its lock."""

    def __init__(self) -> None:
        self.lock, self.stopped = threading.Lock(), threading.Event()

    def run(self, _every: float) -> None:
        with self.lock:
            signal.raise_signal(signal.SIGTERM)
        assert self.stopped.wait(30)

    def stop(self) -> None:
        if self.lock.acquire(timeout=30):
            self.stopped.set()


@pytest.fixture
def _handlers() -> Iterator[None]:
    """The handlers of the signals are put back."""
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


def ran(*arguments: str) -> Any:
    app = Flask(__name__)
    add_worker_commands(app, lambda: cast(Worker, Busy()))
    return app.test_cli_runner().invoke(args=arguments)


@pytest.mark.usefixtures("_handlers")
def test_a_signal_that_comes_while_the_worker_holds_its_lock_stops_it() -> None:
    result = ran("worker")
    assert result.exit_code == 0, result.exception


@pytest.mark.parametrize("command", ["worker", "reconcile"])
@pytest.mark.parametrize("every", ["0", "-1"])
def test_looks_without_a_pause_are_refused(command: str, every: str) -> None:
    result = ran(command, "--every", every)
    assert result.exit_code == 2
    assert "x>=0.1" in result.output
