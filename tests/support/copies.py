"""Whole copies of the project that many tests share, each started once and stopped when done.

A module's tests find a shared copy empty: what they leave in it is deleted after them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.support.sizes import SIZES
from tools.harness.cloud import ROOT, Cloud, running_cloud
from tools.harness.person import JSON
from tools.harness.waiting import PATIENCE, wait_for

# A thing that is SEARCHABLE is found by the next search, however busy the machine is.
CURRENT = {"SEARCH_WAIT": "30"}
# Models that answer at once.
QUICK: Mapping[str, str] = {
    **CURRENT,
    "MODELS_DIR": str(ROOT / "tests" / "faults" / "models"),
    "FETCH_ALLOW": "127.0.0.1,localhost",
    "RECONCILE_AFTER": str(SIZES.reconcile_after),
}
# The version of the captioning model among them.
BLIP = "2e1dddc8621f72155f24cf2e0adbde548458d3cab9f00c0139eea840d0ac4746"
# The password of `locked_copy`.
PASSWORD = "correct-horse-battery-staple"
# A token of `locked_copy`.
TOKEN = "staple-battery-horse-correct-7d0c1e"
# The folder, in the copy's own, in which the failpoints of `victim_copy` are armed.
FAILPOINTS = "failpoints"
# The settings of each shared copy, under the name of its fixture, in the order of their starts.
COPIES: Mapping[str, Mapping[str, str]] = {
    # It has a captioning model.
    "quick_copy": {**QUICK, "CAPTION_VERSION": BLIP},
    # Its parts are killed and kept away, and its app dies where it is told to.
    "victim_copy": {**QUICK, "PYTHONPATH": str(ROOT / "tests" / "faults" / "victim_site")},
    # It holds the library of the search tests.
    "library_copy": QUICK,
    # Other machines reach it, who know the password.
    "locked_copy": {
        **CURRENT,
        "HOST": "0.0.0.0",  # noqa: S104 - it asks for a password
        "APP_PASSWORD": PASSWORD,
        "API_TOKENS": TOKEN,
        "FETCH_ALLOW": "127.0.0.1",
        "RECONCILE_AFTER": "5",
    },
    # The real models, and passages so short that a recording of fifty seconds has several.
    "real_copy": {
        **CURRENT,
        "FETCH_ALLOW": "127.0.0.1",
        "RECONCILE_AFTER": "5",
        "PASSAGE_SIZE": "80",
    },
}
# Copies whose things stay for all modules.
KEPT = frozenset({"library_copy"})


@dataclass
class Copies:
    """The shared copies that run, by the names of their fixtures."""

    folder: Path
    _running: dict[str, tuple[Cloud, ExitStack]] = field(default_factory=dict)

    def get(self, name: str) -> Cloud:
        """The copy of that name, started by the first test that asks for it."""
        if name not in self._running:
            data_dir = self.folder / name
            environment = dict(COPIES[name])
            if name == "victim_copy":
                (data_dir / FAILPOINTS).mkdir(parents=True)
                environment["FAILPOINTS"] = str(data_dir / FAILPOINTS)
            stack = ExitStack()
            cloud = stack.enter_context(running_cloud(data_dir, environment))
            self._running[name] = cloud, stack
        return self._running[name][0]

    def empty(self, name: str) -> None:
        """Delete every thing of the copy, as a person does."""
        cloud, _ = self._running[name]
        with httpx.Client(
            base_url=cloud.address, auth=("", PASSWORD), headers=JSON, timeout=PATIENCE
        ) as http:

            def is_empty() -> bool:
                answer = http.get("/", params={"per_page": 200})
                answer.raise_for_status()
                assets = answer.json()["assets"]
                for asset in assets:
                    http.post(f"/assets/{asset['id']}/delete")
                return not assets

            wait_for(is_empty, f"{name} without things", despite=httpx.HTTPError)

    def stop(self, name: str) -> None:
        """Stop the copy."""
        _, stack = self._running.pop(name)
        stack.close()

    def leave(self, module: Sequence[pytest.Item], rest: Sequence[pytest.Item]) -> None:
        """Stop the copies that no test of the rest needs; empty those that the module used."""
        used = frozenset[str]().union(*map(used_by, module))
        needed = frozenset[str]().union(*map(used_by, rest))
        for name in [*self._running]:
            if name not in needed:
                self.stop(name)
            elif name in used - KEPT:
                self.empty(name)

    def stop_all(self) -> None:
        """Stop whatever still runs."""
        for name in [*self._running]:
            self.stop(name)


def used_by(item: pytest.Item) -> frozenset[str]:
    """The names of the shared copies that a test needs."""
    return frozenset(COPIES) & frozenset(getattr(item, "fixturenames", ()))


def module_of(item: pytest.Item) -> str:
    """The file that a test stands in."""
    return item.nodeid.partition("::")[0]


def sort_by_copy(items: list[pytest.Item]) -> None:
    """Put modules that need the same copy one after the other, those that need none first."""
    names = list(COPIES)
    last: dict[str, int] = {}
    for item in items:
        numbers = [names.index(name) + 1 for name in used_by(item)]
        last[module_of(item)] = max([last.get(module_of(item), 0), *numbers])
    items.sort(key=lambda item: last[module_of(item)])
