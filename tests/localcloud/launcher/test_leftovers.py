from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud import leftovers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")


def test_only_marked_processes_are_ended(tmp_path: Path) -> None:
    def start(folder: Path) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-c", "import signal; print(flush=True); signal.pause()"]
        environment = {**os.environ, leftovers.MARK: str(folder)}
        process = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    ours, other = start(tmp_path / "a"), start(tmp_path / "ab")
    try:
        assert leftovers.find(tmp_path / "a") == [ours.pid]
        assert leftovers.kill(tmp_path / "a") == [ours.pid]
        assert ours.wait(5) < 0
        assert other.poll() is None
        assert leftovers.find(tmp_path / "a") == []
    finally:
        for process in (ours, other):
            process.kill()
            process.communicate()
