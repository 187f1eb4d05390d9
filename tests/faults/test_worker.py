"""The worker runs beside others, ends when it is told to, and loads no model."""

from __future__ import annotations

import re
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from pymongo.database import Database

from allthethings.pipeline.turns import PER_HOST
from localcloud.weights import cache as weights
from tests.faults.crew import working_beside
from tests.faults.test_imports import all_lines, sent, told
from tests.faults.things import Document, goes_forward, predictions, recording
from tools.harness.cloud import Cloud
from tools.harness.site import Site
from tools.harness.waiting import wait_for

# What an inference engine has in the memory of its process.
ENGINE = "openvino"


def recordings(site: Site, name: str, number: int) -> list[str]:
    """The URLs of so many recordings."""
    return [
        site.add(f"/{name}-{each}.mp3", recording(f"This is recording {each} of {name}."))
        for each in range(number)
    ]


def shared_by_workers(cloud: Cloud, site: Site, lines: Sequence[str]) -> str:
    """The address of an import, once more than one worker looks at its lines: the site answers none
    before more have asked than one worker has under way."""

    def asked() -> int:
        return len(set(lines) & {site.url(path) for _, path in site.requests})

    site.answering.clear()
    try:
        address = sent(cloud, lines)
        wait_for(lambda: asked() > PER_HOST, "a second worker", moved=asked)
    finally:
        site.answering.set()
    return address


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_it_is_told_to(cloud: Cloud, tmp_path: Path, number: signal.Signals) -> None:
    with working_beside(cloud, tmp_path / "worker.log") as worker:
        worker.process.send_signal(number)
        assert worker.process.wait(60) == 0
    assert re.search(r"^\d{4}-\d\d-\d\d \S+ INFO worker stopped$", worker.said(), re.MULTILINE)
    assert "Traceback" not in worker.said()


def test_it_loads_no_model(cloud: Cloud, site: Site, tmp_path: Path) -> None:
    """Also where the pages embed queries with one."""
    folder = weights.present("all-mpnet-base-v2")
    local = {"QUERY_EMBEDDINGS": "local", "MPNET_WEIGHTS": str(folder)}
    lines = recordings(site, "modelless", 2 * PER_HOST)
    with working_beside(cloud, tmp_path / "worker.log", **local) as worker:
        shared_by_workers(cloud, site, lines)
        wait_for(lambda: " submitted, " in worker.said(), "a thing that this worker looked at")
        loaded = Path(f"/proc/{worker.process.pid}/maps").read_text()
    assert "pymongo" in loaded  # that is, its extensions in C
    assert ENGINE not in loaded


@pytest.mark.slow("half a minute, and two; test_many_servers has three workers without it")
@pytest.mark.parametrize(("workers", "number"), [(2, 30), (8, 200)])
def test_workers_look_at_each_line_of_an_import_once(
    cloud: Cloud,
    database: Database[Document],
    site: Site,
    tmp_path: Path,
    workers: int,
    number: int,
) -> None:
    lines = recordings(site, f"shared-{workers}", number)
    with ExitStack() as stack:
        for each in range(workers):
            stack.enter_context(working_beside(cloud, tmp_path / f"worker-{each}.log"))
        address = shared_by_workers(cloud, site, lines)
        _wait_for_all(cloud, address, database, number)

    found = all_lines(cloud, address)
    assert [(line["url"], line["outcome"]) for line in found] == [
        (each, "indexed") for each in lines
    ]
    stored = [*database["assets"].find({"url": {"$in": lines}})]
    assert Counter(each["url"] for each in stored) == Counter(lines)
    assert {line["claims"] for line in database["import_lines"].find({"url": {"$in": lines}})} == {
        1
    }
    for each in stored:
        assert goes_forward([entry["status"] for entry in each["history"]]), each["url"]
        assert each["lease_owner"] is None
    asked = Counter(row["input"].get("audio") for row in predictions(cloud))
    assert {url: asked[url] for url in lines} == dict.fromkeys(lines, 1)


def _wait_for_all(cloud: Cloud, address: str, database: Database[Document], number: int) -> None:
    """Wait until the import is done, and all its things are searchable."""

    def stands() -> Counter[str]:
        of_import = {"import_id": address.rpartition("/")[2]}
        return Counter(each["status"] for each in database["assets"].find(of_import))

    def all_searchable() -> bool:
        state = told(cloud, address)["import"]["state"]
        return bool(state == "done" and stands() == {"SEARCHABLE": number})

    wait_for(all_searchable, "all things searchable", pause=0.5, moved=stands)
