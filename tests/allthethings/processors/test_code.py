from __future__ import annotations

import pytest

from allthethings.assets.locators import Lines
from allthethings.errors import UnusableThing
from allthethings.processors import Content
from allthethings.processors.code import MAX_LINES, CodeProcessor
from allthethings.sources.fetch import Download
from tests.allthethings.processors.kinds import tools


def read(body: bytes) -> Content:
    return CodeProcessor(tools()).read(Download("https://e.example/x.py", body, None))


def test_a_program_is_read_by_its_lines() -> None:
    program = "# Herons.\r\n\r\ndef wait():\r\n\tpass  # for fish\r\n   \r\n\r\nwait()"
    content = read(program.encode())
    assert content.text == program.replace("\r\n", "\n")
    assert [(piece.locator, piece.text) for piece in content.pieces] == [
        (Lines(1, 1), "# Herons."),
        (Lines(3, 4), "def wait():\n\tpass  # for fish"),
        (Lines(7, 7), "wait()"),
    ]


def test_form_feeds_and_rare_separators_end_no_line() -> None:
    content = read("a\n\f\nb = '\u2028'\n".encode())
    assert [(piece.locator, piece.text) for piece in content.pieces] == [
        (Lines(1, 1), "a"),
        (Lines(3, 3), "b = '\u2028'"),
    ]


def test_a_long_block_is_read_in_parts() -> None:
    content = read(b"\n".join(b"step(%d)" % number for number in range(1, 31)))
    assert [piece.locator for piece in content.pieces] == [
        Lines(1, MAX_LINES),
        Lines(MAX_LINES + 1, 2 * MAX_LINES),
        Lines(2 * MAX_LINES + 1, 30),
    ]


@pytest.mark.parametrize("body", [b"", b"\n\n", b"\x7fELF\x02\x01\x01\x00" + b"\x00" * 99])
def test_what_is_no_program(body: bytes) -> None:
    with pytest.raises(UnusableThing, match="No text was found"):
        read(body)


@pytest.mark.parametrize(
    ("first", "content_type"),
    [
        (b"#!/bin/sh\nset -e\n", "text/x-shellscript"),
        (b"#!/usr/bin/env bash\n", "text/x-shellscript"),
        (b"#!/usr/bin/env python3\n", "text/x-python"),
        (b"<?php echo 1;", "text/x-php"),
        (b"#! a remark", None),
        (b"def wait():\n", None),
    ],
)
def test_scripts_are_recognised(first: bytes, content_type: str | None) -> None:
    assert CodeProcessor.sniff(first) == content_type
