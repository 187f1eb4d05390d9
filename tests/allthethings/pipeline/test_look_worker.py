"""Looks that are due are begun in the background, gently."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from allthethings.errors import ServiceUnavailable
from allthethings.pipeline.look_worker import LIMIT_OF_HOST, PER_HOST, LookWorker
from tools.harness.waiting import wait_for


@dataclass
class Things:
    """Things of two hosts whose looks are due, and last until they may end."""

    due_ones: dict[str, str]
    may_end: threading.Event = field(default_factory=threading.Event)
    begun: list[str] = field(default_factory=list)

    def due(self, limit: int) -> Sequence[tuple[str, str]]:
        return [*self.due_ones.items()][:limit]

    def take(self, asset_id: str) -> None:
        self.begun.append(asset_id)
        assert self.may_end.wait(60)
        self.due_ones.pop(asset_id)
        if asset_id.endswith("3"):
            raise ServiceUnavailable("MongoDB", "of the tests")
        if asset_id.endswith("4"):
            raise ZeroDivisionError


def test_a_host_is_asked_for_two_things_at_a_time() -> None:
    hosts = {f"{host}-{number}": host for host in ("one.test", "two.test") for number in range(6)}
    things = Things(dict(hosts))
    worker = LookWorker(cast(Any, things))
    for _ in range(3):  # what waits is not begun again
        worker.step()
    wait_for(lambda: len(things.begun) == 2 * PER_HOST, "looks at both hosts")
    assert Counter(hosts[each] for each in things.begun) == {"one.test": 2, "two.test": 2}
    assert worker.busy
    things.may_end.set()
    wait_for(lambda: not worker.busy, "the end of all looks")
    assert Counter(things.begun) == dict.fromkeys(hosts, 1)
    worker.step()
    assert not worker.busy


def test_a_host_with_very_many_looks_leaves_room_for_others() -> None:
    crowd = {f"crowd-{number}": "crowd.test" for number in range(300)}
    things = Things({**crowd, "alone-1": "alone.test"})
    worker = LookWorker(cast(Any, things))
    worker.step()
    wait_for(lambda: "alone-1" in things.begun, "the look at the other host")
    things.may_end.set()
    wait_for(lambda: not worker.busy, "the end of what was begun")
    assert len(things.begun) == LIMIT_OF_HOST + 1
