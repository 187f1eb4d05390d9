"""What deleted outputs have taken is given back to the file system."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from pathlib import Path

import pytest

from localcloud.replicate import service
from localcloud.replicate.identifiers import new_id, timestamp
from localcloud.replicate.prediction_store import Prediction, Result
from localcloud.replicate.service import Service, Settings
from localcloud.sqlite import connect, make_shrinkable
from tests.localcloud.replicate.replicate_process import SECRET, TOKEN

SPARE = 100


def test_the_file_becomes_smaller_when_outputs_are_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "HOUSEKEEPING_SECONDS", 0.01)
    monkeypatch.setattr(service, "SPARE_PAGES", SPARE)
    settings = Settings(9, tmp_path, tmp_path, TOKEN, SECRET, {}, keep_data=timedelta(0))
    before, after = asyncio.run(sizes(settings))
    assert before > 10_000_000
    assert after < 1_000_000


async def sizes(settings: Settings) -> tuple[int, int]:
    """Bytes of the file with a hundred outputs, and when only spare pages are free."""
    made = Service(settings, [])
    for _ in range(100):
        new = Prediction(new_id(), "tests/echo", "v", {}, timestamp())
        made.predictions.store.add(new)
        made.predictions.store.finish(new.id, Result("succeeded", output="x" * 100_000))
    before = size(made)
    running = asyncio.create_task(made.run())
    async with asyncio.timeout(60):
        while free(made) > SPARE or not free(made):
            await asyncio.sleep(0.01)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    after = size(made)
    made._db.close()
    return before, after


def free(made: Service) -> int:
    return int(made._db.execute("PRAGMA freelist_count").fetchone()[0])


def size(made: Service) -> int:
    made._db.execute("PRAGMA wal_checkpoint (TRUNCATE)").fetchall()
    return (made.settings.data_dir / "replicate.sqlite3").stat().st_size


def test_a_file_of_an_earlier_version_can_become_smaller(tmp_path: Path) -> None:
    with contextlib.closing(connect(tmp_path / "old", schema="CREATE TABLE t (x)")) as db:
        db.execute("INSERT INTO t VALUES (1)")
        make_shrinkable(db)
        assert db.execute("PRAGMA auto_vacuum").fetchone()[0] == 2
        assert db.execute("SELECT x FROM t").fetchone()[0] == 1
