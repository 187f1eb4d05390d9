"""The logs of the models stay small while they run."""

from __future__ import annotations

from localcloud.logs import MAX_LOG_BYTES
from tests.localcloud.replicate.replicate_process import Server
from tools.harness.waiting import wait_for


def test_a_models_log_is_set_aside_while_it_runs(own: Server) -> None:
    log = own.folder / "logs" / "tests--echo.log"
    line = b"." * 99 + b"\n"
    with log.open("ab") as appended:
        appended.write(line * (MAX_LOG_BYTES // len(line) + 1))
    wait_for(lambda: log.stat().st_size < MAX_LOG_BYTES, "a log that is set aside")
    assert log.with_suffix(".log.1").stat().st_size <= MAX_LOG_BYTES
    assert own.healthy()
