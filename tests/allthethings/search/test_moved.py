"""A library that was exported and imported elsewhere finds what it found before."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.allthethings.search.library import QUERIES, Library, Searcher, Wanted, app_environment
from tests.allthethings.search.test_filters import make_wanted
from tests.support.copies import QUICK
from tools.harness.cloud import ROOT, Cloud, running_cloud

pytestmark = pytest.mark.slow("starts another copy; store/test_transfer.py compares documents")


def command(cloud: Cloud, *arguments: str) -> str:
    """What a command of the app prints, which has to succeed."""
    argv = [sys.executable, "-m", "flask", "--app", "app", *arguments]
    environment = app_environment(cloud)
    ran = subprocess.run(
        argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def told(searcher: Searcher, wanted: Wanted, finished: set[str]) -> set[str]:
    """The finished things on all pages. Others are finished after the import.

    Their order may differ: scores count passages of no asset too, and those are not exported.
    """
    return {*searcher.all_ids(wanted.text, **dict(wanted.parameters))} & finished


def test_every_search_finds_what_it_found_before(
    cloud: Cloud, search: Searcher, library: Library, tmp_path: Path
) -> None:
    file, rng = tmp_path / "all.zip", random.Random(17)
    finished = {*map(str, library.assets.distinct("_id", {"status": "SEARCHABLE"}))}
    number = library.assets.count_documents({})
    assert f"{number} assets" in command(cloud, "export", str(file))
    with running_cloud(tmp_path / "var", QUICK) as elsewhere:
        added = command(elsewhere, "import", str(file))
        assert added.endswith("documents added, 0 were here already.\n")
        assert command(elsewhere, "import", str(file)).startswith("0 documents added")
        there = Searcher(elsewhere)
        found = 0
        for _ in range(QUERIES):
            wanted = make_wanted(rng)
            things = told(search, wanted, finished)
            assert told(there, wanted, finished) == things, wanted
            found += len(things)
        assert found > QUERIES
        there.http.close()
