"""The launcher with everything it starts: real servers and signals, with quick models."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import pytest

from localcloud import leftovers
from tests.support.copies import QUICK
from tools.harness.cloud import ROOT, Cloud, clean_environment, refusal, running_cloud
from tools.harness.processes import is_alive
from tools.harness.waiting import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

NAMES = {
    "SECRET_KEY",
    "MONGODB_CONNECTION_URI",
    "REPLICATE_BASE_URL",
    "REPLICATE_API_TOKEN",
    "REPLICATE_WEBHOOKS_SECRET",
    "HOOKDECK_API_URL",
    "HOOKDECK_PROJECT_API_KEY",
    "HOOKDECK_WEBHOOK_SECRET",
    "APP_URL",
    "AUDIO_WEBHOOK_URL",
    "IMAGE_WEBHOOK_URL",
    "EMBEDDINGS_WEBHOOK_URL",
    "TOKENIZER",
}


@pytest.fixture(scope="module")
def cloud(victim_copy: Cloud) -> Cloud:
    return victim_copy


def healthy(cloud: Cloud) -> bool:
    try:
        with urllib.request.urlopen(f"{cloud.address}/healthz", timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False


def test_endpoints_are_complete_and_private(cloud: Cloud) -> None:
    assert set(cloud.endpoints) == NAMES
    for name in ("endpoints.env", "launcher.json"):
        assert stat.S_IMODE((cloud.data_dir / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(cloud.data_dir.stat().st_mode) == 0o700


def test_endpoints_are_all_that_a_command_of_the_app_needs(cloud: Cloud, tmp_path: Path) -> None:
    """As docs/running.md has it; the hub of tokenizers need not be reached."""
    environment = {**cloud.endpoints, "HF_HUB_OFFLINE": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "app", "export", str(tmp_path / "all.zip")],
        cwd=ROOT,
        env=clean_environment(tmp_path, environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "all.zip").exists()


def test_no_secret_stands_in_a_log_or_a_command_line(cloud: Cloud) -> None:
    secrets = [
        value
        for name, value in cloud.endpoints.items()
        if name.endswith(("_KEY", "_TOKEN", "_SECRET"))
    ]
    texts = [path.read_text(errors="replace") for path in cloud.data_dir.glob("logs/*.log")]
    texts += [Path(f"/proc/{pid}/cmdline").read_text() for pid in cloud.pids()]
    assert len(secrets) == 5
    assert not [text for text in texts if any(secret in text for secret in secrets)]


def test_a_second_copy_in_the_same_folder_is_refused(cloud: Cloud) -> None:
    said = refusal(cloud.data_dir)
    assert f"in use by another running copy (process {cloud.process.pid})" in said


def test_a_taken_port_is_named(cloud: Cloud, tmp_path: Path) -> None:
    port = cloud.address.rpartition(":")[2]
    assert f"Port {port} of 127.0.0.1 is in use" in refusal(tmp_path / "var", PORT=port)


def test_a_refusal_of_the_app_is_passed_on(tmp_path: Path) -> None:
    said = refusal(tmp_path / "var", RECONCILE_AFTER="never")
    assert "app keeps exiting" in said
    assert "RECONCILE_AFTER has to be a number greater than 0." in said
    assert leftovers.find(tmp_path / "var") == []


@pytest.mark.parametrize("part", ["secantus", "localcloud.hookdeck", "-m serve"])
def test_a_killed_part_comes_back(cloud: Cloud, part: str) -> None:
    first = cloud.pids_of(part)
    for pid in first:
        os.kill(pid, signal.SIGKILL)

    def replaced() -> bool:
        now = cloud.pids_of(part)
        return bool(now) and not {*first} & {*now} and healthy(cloud)

    wait_for(replaced, f"{part} is back")
    log = (cloud.data_dir / "logs" / "launcher.log").read_text()
    assert "ended (killed by SIGKILL); starting it again" in log


@pytest.mark.slow("starts another whole copy; many copies run at once in the whole run")
def test_two_copies_run_side_by_side(cloud: Cloud, tmp_path: Path) -> None:
    with running_cloud(tmp_path / "var", QUICK) as other:
        assert healthy(cloud)
        assert healthy(other)
        shared = {*cloud.endpoints.items()} & {*other.endpoints.items()}
        assert {name for name, _ in shared} == {"TOKENIZER"}
        assert other.stop(signal.SIGINT) == 0
    assert healthy(cloud)


def gone(pids: Sequence[int]) -> bool:
    return not any(map(is_alive, pids))


def test_ready_means_healthy_and_a_stop_leaves_nothing_running_and_the_next_start_goes_on(
    tmp_path: Path,
) -> None:
    with running_cloud(tmp_path / "var", QUICK) as cloud:
        assert healthy(cloud)
        pids = cloud.pids()
        assert len(pids) > 8
        assert cloud.stop() == 0
        assert gone(pids)
        assert leftovers.find(cloud.data_dir) == []
    port = cloud.address.rpartition(":")[2]
    with running_cloud(cloud.data_dir, {**QUICK, "PORT": port}) as again:
        assert again.endpoints == cloud.endpoints
        log = (cloud.data_dir / "logs" / "launcher.log").read_text()
        assert log.count("running create-") == 2  # each script once, by the first start


@pytest.mark.slow("starts a whole copy twice; a stopped one is started again without it")
def test_a_killed_launcher_takes_all_with_it_and_the_next_start_goes_on(tmp_path: Path) -> None:
    with running_cloud(tmp_path / "var", QUICK) as cloud:
        children = [pid for pid in cloud.pids() if pid != cloud.process.pid]
        cloud.process.kill()
        wait_for(lambda: gone(children), "the end of all children of a killed launcher")
    with running_cloud(cloud.data_dir, QUICK) as again:
        assert {*again.endpoints} == NAMES
        moved = {"APP_URL"}
        assert all(again.endpoints[name] == cloud.endpoints[name] for name in NAMES - moved)
