"""A parser whose process is killed, or gets no time: another attempt can help."""

from __future__ import annotations

import os
import signal
import time

import pytest

from allthethings.assets.passages import Piece
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors import Content, document_processor, processor, sandbox
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


class Crashing(HtmlProcessor):
    @staticmethod
    def parse(document: Download) -> Content:
        del document
        os.abort()


class Swelling(HtmlProcessor):
    @staticmethod
    def parse(document: Download) -> Content:
        raise AssertionError(len(bytearray(2 * sandbox.MEMORY)), document)


class Slow(HtmlProcessor):
    @staticmethod
    def parse(document: Download) -> Content:
        while document:
            pass
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


@pytest.mark.parametrize(
    ("parser", "words"),
    [
        (Crashing, "is damaged, or takes more than 1,024 MB of memory"),
        (Swelling, "takes more than 1,024 MB of memory to read"),
        (Slow, "takes more than 1 seconds to read"),
    ],
)
def test_a_limit_is_named(
    parser: type[HtmlProcessor], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document_processor, "READ_SECONDS", 1)
    with pytest.raises(UnusableThing, match=words) as caught:
        parser(tools()).read(DOCUMENT)
    assert caught.value.code is ErrorCode.DOCUMENT_TOO_COMPLEX
    assert not caught.value.retryable


class Wordy(HtmlProcessor):
    @staticmethod
    def parse(document: Download) -> Content:
        text = "words " * int(document.body)
        return Content((Piece(text),), text)


def test_a_text_that_is_too_long_does_not_leave_its_process() -> None:
    body = str(processor.MAX_TEXT).encode()
    with pytest.raises(UnusableThing, match="too long: more than 4,000,000 characters") as caught:
        Wordy(tools()).read(Download("https://e.example/h", body, None))
    assert caught.value.code is ErrorCode.TEXT_TOO_LONG
    assert "in require_storable" in "".join(caught.value.__notes__)


class Scanned(HtmlProcessor):
    @staticmethod
    def parse(document: Download) -> Content:
        return Content((), document.body.decode(), scanned=(1,))


def test_the_language_is_told_in_the_same_process_once_all_of_the_text_is_there() -> None:
    german = "Der Reiher steht im flachen Wasser und wartet auf einen Fisch. " * 3
    document = Download("https://e.example/h", f"<p>{german}</p>".encode(), None)
    assert HtmlProcessor(tools()).read(document).language == "de"
    assert Scanned(tools()).read(document).language is None
