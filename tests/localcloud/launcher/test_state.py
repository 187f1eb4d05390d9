from __future__ import annotations

import base64
import os
import re
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from localcloud.endpoints import endpoints, read_endpoints, write_endpoints
from localcloud.launch_settings import LaunchError, read_settings
from localcloud.launcher import Launcher
from localcloud.state import State, lock_data_dir, replicate_token, webhook_secret, write_private
from tests.support.small_disk import small_disk

PORTS = {"mongodb": 21001, "secantus": 21002, "hookdeck": 21003, "replicate": 21004}
LOCAL = {
    "SECRET_KEY",
    "MONGODB_CONNECTION_URI",
    "REPLICATE_BASE_URL",
    "REPLICATE_API_TOKEN",
    "REPLICATE_WEBHOOKS_SECRET",
    "HOOKDECK_API_URL",
    "HOOKDECK_PROJECT_API_KEY",
    "HOOKDECK_WEBHOOK_SECRET",
    "APP_URL",
}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def state(tmp_path: Path) -> State:
    state = State(tmp_path)
    state.ports |= PORTS
    state.complete()
    return state


def test_secrets_have_the_forms_of_the_real_ones() -> None:
    assert re.fullmatch("r8_[A-Za-z0-9]{37}", replicate_token())
    kind, _, encoded = webhook_secret().partition("_")
    assert kind == "whsec"
    assert 24 <= len(base64.b64decode(encoded, validate=True)) <= 64


def test_ports_and_secrets_are_the_same_at_the_next_start(tmp_path: Path, state: State) -> None:
    again = State(tmp_path)
    again.complete()
    assert (again.ports, again.secrets) == (state.ports, state.secrets)
    assert len(set(state.secrets.values())) == 5
    assert mode(tmp_path / "launcher.json") == 0o600


def test_two_folders_share_no_secret(tmp_path: Path, state: State) -> None:
    other = State(tmp_path / "other")
    (tmp_path / "other").mkdir()
    other.complete()
    assert not {*state.secrets.values()} & {*other.secrets.values()}


@pytest.mark.parametrize("content", ["{", "[]", '{"ports": 7}', "null", '{"secrets": []}'])
def test_a_damaged_memory_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "launcher.json").write_text(content)
    with pytest.raises(LaunchError, match=r"launcher\.json is damaged"):
        State(tmp_path)


def test_a_private_file_is_private_whatever_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o644)
    old_umask = os.umask(0)
    try:
        write_private(path, "new")
    finally:
        os.umask(old_umask)
    assert path.read_text() == "new"
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_holds_every_stand_in_under_its_names(tmp_path: Path, state: State) -> None:
    found = endpoints(read_settings(tmp_path, {}), state.ports, state.secrets)
    write_endpoints(tmp_path / "endpoints.env", found)
    assert read_endpoints(tmp_path / "endpoints.env") == found
    assert set(found) == LOCAL
    assert found["MONGODB_CONNECTION_URI"] == "mongodb://127.0.0.1:21001/?directConnection=true"
    assert found["REPLICATE_BASE_URL"] == "http://127.0.0.1:21004"
    assert found["APP_URL"] == "http://127.0.0.1:5000"


def test_the_file_leaves_out_real_services(tmp_path: Path, state: State) -> None:
    real = {"MONGODB_CONNECTION_URI": "mongodb://db.example/", "HOOKDECK_PROJECT_API_KEY": "key"}
    found = endpoints(read_settings(tmp_path, real), state.ports, state.secrets)
    assert set(found) == {
        "SECRET_KEY",
        "REPLICATE_BASE_URL",
        "REPLICATE_API_TOKEN",
        "REPLICATE_WEBHOOKS_SECRET",
    }


def test_the_operators_secrets_win(tmp_path: Path, state: State) -> None:
    given = {"SECRET_KEY": "given", "REPLICATE_WEBHOOKS_SECRET": "whsec_given"}
    found = endpoints(read_settings(tmp_path, given), state.ports, state.secrets)
    assert {name: found[name] for name in given} == given


def test_a_folder_has_one_owner_and_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    with lock_data_dir(folder), pytest.raises(LaunchError, match=f"process {os.getpid()}"):
        lock_data_dir(folder)
    assert mode(folder) == 0o700
    lock_data_dir(folder).close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LaunchError, match="cannot be used"):
        lock_data_dir(tmp_path / "file" / "var")


def test_a_start_without_room_names_the_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 64) as disk:
        folder = disk.folder / "var"
        settings = replace(read_settings(tmp_path, {}), data_dir=folder)
        with pytest.raises(LaunchError, match=f"The disk of DATA_DIR={folder} is full: 67 MB"):
            Launcher(tmp_path, settings, threading.Event()).run()
        assert not folder.exists()
