"""The command `python -m localcloud`."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

from localcloud.launch_settings import LaunchError, read_settings
from localcloud.launcher import Launcher

ROOT = Path(__file__).resolve().parent.parent


class Elapsed(logging.Formatter):
    """Begins each line with the seconds since the start, for the person at the terminal."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()

    def format(self, record: logging.LogRecord) -> str:
        return f"[{time.monotonic() - self._began:5.1f} s] {record.getMessage()}"


def log_to_terminal() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Elapsed())
    logging.getLogger("localcloud").addHandler(handler)
    logging.getLogger("localcloud").setLevel(logging.INFO)


def stop_on_signals(stop: threading.Event) -> None:
    """Stop on Ctrl-C, `kill` and a closed terminal, but respect `nohup`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
            continue
        signal.signal(number, lambda *_: stop.set())


def main() -> int:
    """Run until told to stop. Returns the exit code."""
    stop = threading.Event()
    stop_on_signals(stop)
    log_to_terminal()
    try:
        chosen = read_settings(ROOT, os.environ)
        os.environ.update(chosen.operator)  # where localcloud.weights reads its settings
        Launcher(ROOT, chosen, stop).run()
    except LaunchError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0
