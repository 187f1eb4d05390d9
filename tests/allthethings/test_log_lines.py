"""What others write cannot look like a line of the log."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable

import pytest

from allthethings.redaction import HidingFormatter
from localcloud.logs import OneLine
from tests.allthethings.web.in_memory import Memory, make_app

LAYOUT = "%(asctime)s %(levelname)s %(message)s"
FALSE = "2025-01-01 00:00:00,000 INFO asset 1 deleted"
BREAKS = ["\n", "\r", "\r\n", "\v", "\f", "\x85", "\u2028", "\x1b[2K\x1b[G"]
Lines = Callable[[], list[str]]


def handler(formatter: logging.Formatter) -> tuple[logging.Handler, Lines]:
    """A handler that writes as the programs do, and what it has written."""
    stream = io.StringIO()
    made = logging.StreamHandler(stream)
    made.setFormatter(formatter)
    return made, lambda: stream.getvalue().splitlines()


FORMATTERS = pytest.mark.parametrize(
    "formatter", [HidingFormatter(LAYOUT, ()), OneLine(LAYOUT)], ids=["app", "stand-ins"]
)


@FORMATTERS
@pytest.mark.parametrize("line_break", BREAKS)
def test_a_message_is_one_line(formatter: logging.Formatter, line_break: str) -> None:
    log = logging.Logger("one")
    writes, lines = handler(formatter)
    log.addHandler(writes)
    log.warning("callback %s answered", f"/x{line_break}{FALSE}")
    [line] = lines()
    assert line.endswith(f"{FALSE} answered")
    assert line.isprintable()


@FORMATTERS
def test_the_lines_of_a_traceback_are_indented(formatter: logging.Formatter) -> None:
    log = logging.Logger("one")
    writes, lines = handler(formatter)
    log.addHandler(writes)
    try:
        raise ValueError(f"no such path: /x\n{FALSE}")
    except ValueError:
        log.exception("a fault")
    first, *rest = lines()
    assert first.endswith("ERROR a fault")
    assert f"  {FALSE}" in rest
    assert all(line.startswith("  ") for line in rest)


def test_the_path_of_a_callback_writes_no_false_line() -> None:
    app = make_app(Memory())
    writes, lines = handler(HidingFormatter(LAYOUT, ()))
    app.logger.addHandler(writes)
    try:
        answer = app.test_client().post(f"/webhooks/audio/x%0A{FALSE}")
    finally:
        app.logger.removeHandler(writes)
    assert answer.status_code == 401
    [line] = lines()
    assert rf"callback /webhooks/audio/x\n{FALSE} answered 401" in line
