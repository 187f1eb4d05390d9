"""A damaged database is named when it is opened, with what to do."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from localcloud.atlas import secantus_argv
from localcloud.ports import pick_port
from tests.localcloud.secantus.servers import Server


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a database that was stopped in order."""
    directory = tmp_path_factory.mktemp("sound")
    server = Server(directory)
    server.wait()
    server.collection("things").insert_one({})
    server.stop()
    return directory / "db"


def spoil(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"no page of WiredTiger")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("WiredTiger.wt", spoil),
        ("WiredTiger.wt", Path.unlink),
        ("WiredTiger.turtle", Path.unlink),
        ("secantus_oplog.wt", spoil),
    ],
)
def test_a_damaged_folder_is_named(
    sound: Path, tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    folder = tmp_path / "db"
    shutil.copytree(sound, folder)
    damage(folder / name)
    end = subprocess.run(
        secantus_argv(pick_port(), folder), capture_output=True, text=True, timeout=60, check=False
    )
    assert end.returncode == 1
    assert f"The database in {folder} is damaged" in end.stderr
    assert "Restore the folder from a backup" in end.stderr
    assert "Traceback" not in end.stderr
