"""A parser whose process is killed, or gets no time: another attempt can help."""

from __future__ import annotations

import os
import signal
import time

import pytest

from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors import Content, sandbox
from allthethings.processors.html import HtmlProcessor
from allthethings.sources.fetch import Download
from tests.allthethings.processors.kinds import tools

DOCUMENT = Download("https://e.example/h", b"<p>Herons</p>", None)


class Killed(HtmlProcessor):
    @staticmethod
    def parse(document: Download) -> Content:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError(document)


class Endless(HtmlProcessor):
    @staticmethod
    def parse(document: Download) -> Content:
        time.sleep(600)
        raise AssertionError(document)


class Broken(HtmlProcessor):
    @staticmethod
    def parse(document: Download) -> Content:
        raise ValueError(document.url)


def test_a_parser_that_is_killed() -> None:
    with pytest.raises(UnusableThing, match="was killed") as caught:
        Killed(tools()).read(DOCUMENT)
    assert caught.value.code is ErrorCode.PARSER_KILLED
    assert caught.value.retryable


def test_a_parser_that_gets_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "WALL_SECONDS", 0.2)
    with pytest.raises(UnusableThing, match="too busy to read the page") as caught:
        Endless(tools()).read(DOCUMENT)
    assert caught.value.code is ErrorCode.MACHINE_BUSY
    assert caught.value.retryable


def test_a_parser_that_fails_fails_again() -> None:
    with pytest.raises(UnusableThing, match="could not be read") as caught:
        Broken(tools()).read(DOCUMENT)
    assert caught.value.code is ErrorCode.DOCUMENT_UNREADABLE
    assert not caught.value.retryable
