"""Has the app die where it is told to. Python loads this from a folder in PYTHONPATH at the start
of each process; all but the app's are left as they are. With PROCESSES, multiprocessing starts
those of the app."""

from __future__ import annotations

import sys
from pathlib import Path

if sys.orig_argv[1:3] == ["-m", "serve"] or "--multiprocessing-fork" in sys.orig_argv:
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

    from tests.faults import failpoints

    failpoints.install()
