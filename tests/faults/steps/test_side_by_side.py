"""The reconciler takes up several things side by side, each of them once."""

from __future__ import annotations

import threading
from datetime import timedelta
from itertools import count

from allthethings.mongo import Database
from tests.faults.apart import Watched, existing, in_parts
from tests.faults.steps.attempting import Make
from tools.harness.waiting import PATIENCE


def test_one_that_waits_for_replicate_keeps_no_other_waiting(
    database: Database, replicate: Watched, make: Make
) -> None:
    # Texts of their own: the vectors of one text are not asked for twice.
    ids = [
        in_parts(database, 1, f"http://127.0.0.1/{number}", f"wait {number}") for number in range(2)
    ]
    both = threading.Barrier(2)
    replicate.after_create = lambda _: both.wait(PATIENCE)
    _, reconciler = make(patience=timedelta(hours=1))
    assert reconciler.reconcile() == 2
    assert [existing(database, each).status for each in ids] == ["GENERATING_EMBEDDINGS"] * 2
    assert len(replicate.created) == 2


def test_a_fault_in_one_ends_no_other(database: Database, replicate: Watched, make: Make) -> None:
    ids = [in_parts(database, 1, f"http://127.0.0.1/{number}") for number in range(6)]

    calls = count()

    def fail_at_the_first(_: int) -> None:
        if next(calls) == 0:
            raise RuntimeError("no reason")

    replicate.after_create = fail_at_the_first
    _, reconciler = make(intervals=(), patience=timedelta(hours=1))
    assert reconciler.reconcile() == 6
    statuses = sorted(existing(database, each).status for each in ids)
    assert statuses == ["EMBEDDINGS_ERROR", *["GENERATING_EMBEDDINGS"] * 5]
