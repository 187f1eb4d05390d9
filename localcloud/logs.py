"""The logs of a copy: a file for each program, bounded while the program writes it.

What a log quotes of others cannot look like a line of its own.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any

# Bytes above which a log is set aside, and of what is kept of it then.
MAX_LOG_BYTES = 5_000_000
# Seconds between two looks at the sizes.
WATCH_SECONDS = 1.0


class Logs:
    """Sets the large logs of a folder aside until it is closed.

    The programs append to their logs (O_APPEND), so an emptied file is written from its beginning.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._closed = threading.Event()
        self._set_aside()
        self._thread = threading.Thread(target=self._watch, name="logs", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._closed.wait(WATCH_SECONDS):
            self._set_aside()

    def _set_aside(self) -> None:
        for path in self._folder.glob("*.log"):
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                if path.stat().st_size > MAX_LOG_BYTES:
                    _set_aside(path)


def _set_aside(path: Path) -> None:
    """Move the end of a log to `.log.1`; without room for that, only empty it."""
    aside = path.with_suffix(".log.1")
    try:
        aside.write_bytes(_tail(path, MAX_LOG_BYTES))
    except OSError:
        aside.unlink(missing_ok=True)
    os.truncate(path, 0)


def _tail(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read(size)


class OneLine(logging.Formatter):
    """Writes each message as one line, and the lines of a traceback indented.

    So nothing that others wrote, such as a name or the path of a request, begins a line.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        return _escaped(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        lines = super().formatException(ei).splitlines()
        return "\n".join(f"  {_escaped(line)}" for line in lines)


def _escaped(text: str) -> str:
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def log_to_stdout(layout: str) -> None:
    """Write what a stand-in logs to standard output, which its supervisor appends to its log."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(OneLine(layout))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)  # its lines hold whole URLs


def log_to(path: Path, log: logging.Logger) -> None:
    """Append what the logger says to a file, each line with its time."""
    handler = logging.FileHandler(path)
    handler.setFormatter(OneLine("%(asctime)s %(message)s"))
    log.addHandler(handler)


def end_of(path: Path, lines: int = 10) -> str:
    """The log's path and its last lines, without the frames of tracebacks."""
    try:
        tail = _tail(path, 16_000).decode(errors="replace").splitlines()
    except FileNotFoundError:
        tail = []
    shown = [line for line in tail if not line.startswith((" ", "\t", "Traceback"))]
    return "\n".join([f"The end of {path}:", *(f"    {line}" for line in shown[-lines:])])
