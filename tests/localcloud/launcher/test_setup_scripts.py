"""A setup script runs again when its code, its settings or what it has created have changed."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from localcloud.setup_scripts import SetupScript

SETTINGS = {"HOOKDECK_API_URL": "http://127.0.0.1:1"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project of two modules."""
    root = tmp_path / "project"
    (root / "allthethings" / "store").mkdir(parents=True)
    (root / "create-indexes.py").write_text("import allthethings.store.indexes")
    (root / "allthethings" / "store" / "indexes.py").write_text("INDEXES = 2")
    return root


@pytest.fixture
def script(tmp_path: Path, root: Path) -> SetupScript:
    """A script that has run, and has created one index."""
    folder, store = tmp_path / "data", tmp_path / "catalog.sqlite"
    folder.mkdir()
    _execute(store, "CREATE TABLE indexes (id TEXT)", "INSERT INTO indexes VALUES ('first')")
    script = SetupScript("create-indexes", folder, store, "indexes")
    assert script.is_needed(root, SETTINGS)
    script.note_run(root, SETTINGS)
    return script


def _execute(store: Path, *statements: str) -> None:
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_nothing_has_changed(script: SetupScript, root: Path) -> None:
    assert not script.is_needed(root, SETTINGS)


def test_a_setting_has_changed(script: SetupScript, root: Path) -> None:
    assert script.is_needed(root, {"HOOKDECK_API_URL": "http://127.0.0.1:2"})


CHANGES: dict[str, Callable[[SetupScript, Path], object]] = {
    "a module it imports": lambda _, root: (
        root / "allthethings" / "store" / "indexes.py"
    ).write_text("INDEXES = 3"),
    "a module more": lambda _, root: (root / "allthethings" / "new.py").touch(),
    "an index dropped": lambda script, _: _execute(script.store, "DELETE FROM indexes"),
    "an index created anew": lambda script, _: _execute(
        script.store, "UPDATE indexes SET id = 'second'"
    ),
    "the catalog damaged": lambda script, _: script.store.write_bytes(b"x" * 5_000),
    "the catalog deleted": lambda script, _: script.store.unlink(),
    "the data deleted": lambda script, _: shutil.rmtree(script.folder),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_it_runs_again_after(
    script: SetupScript, root: Path, change: Callable[[SetupScript, Path], object]
) -> None:
    change(script, root)
    assert script.is_needed(root, SETTINGS)
