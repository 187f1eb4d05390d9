from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud.ports import pick_port
from tools.install import POETRY, Installer, InstallError

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder in which everything seems to be installed."""
    (tmp_path / "poetry.lock").write_text("locked")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    stamp = {
        "lock": hashlib.sha256(b"locked").hexdigest(),
        "groups": ["dev", "localcloud", "main"],
    }
    (tmp_path / ".venv" / "installed.json").write_text(json.dumps(stamp))
    return tmp_path


@pytest.fixture
def no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip finds nothing that answers."""
    for name in os.environ:
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{pick_port()}/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")


def python_sh(
    folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """What the script does in that folder."""
    shell = shutil.which("sh")
    assert shell is not None
    return subprocess.run(
        [shell, str(ROOT / "tools" / "python.sh"), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_named_python_runs(tmp_path: Path) -> None:
    ran = python_sh(tmp_path, "-c", "print(6 * 7)", PYTHON=sys.executable)
    assert (ran.returncode, ran.stdout) == (0, "42\n")


def test_a_named_python_that_does_not_serve_is_refused(tmp_path: Path) -> None:
    ran = python_sh(tmp_path, "-c", "print(6 * 7)", PYTHON="/bin/false", PATH=os.environ["PATH"])
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "PYTHON=/bin/false is not a Python 3.11, 3.12 or 3.13" in ran.stderr


def test_without_any_python_it_says_which_is_needed(tmp_path: Path) -> None:
    ran = python_sh(tmp_path, "-c", "print(6 * 7)", PATH="/nowhere")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "Python 3.11, 3.12 or 3.13 is needed" in ran.stderr


def test_a_programs_name_alone_proves_nothing(tmp_path: Path) -> None:
    for name, serves in (("python3.13", "/bin/false"), ("python3.11", sys.executable)):
        (tmp_path / name).symlink_to(serves)
    ran = python_sh(tmp_path, "-c", "print(6 * 7)", PATH=str(tmp_path))
    assert (ran.returncode, ran.stdout) == (0, "42\n")


def test_the_python_of_what_is_installed_comes_first(checkout: Path) -> None:
    (checkout / "python3.13").symlink_to("/bin/false")
    ran = python_sh(checkout, "-c", "print(6 * 7)", PATH=str(checkout))
    assert (ran.returncode, ran.stdout) == (0, "42\n")


def test_an_environment_whose_python_is_gone_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to("/nowhere/python")
    (tmp_path / "python3.11").symlink_to(sys.executable)
    ran = python_sh(tmp_path, "-c", "print(6 * 7)", PATH=str(tmp_path))
    assert (ran.returncode, ran.stdout) == (0, "42\n")


@pytest.mark.usefixtures("no_index")
def test_an_environment_can_be_made_anew_by_its_own_python(tmp_path: Path) -> None:
    """It gets as far as to install Poetry, with an environment of its own for that."""
    for name in ("install.py", "python.sh"):
        (tmp_path / "tools").mkdir(exist_ok=True)
        shutil.copy(ROOT / "tools" / name, tmp_path / "tools")
    (tmp_path / "poetry.lock").write_text("locked")
    own = tmp_path / ".poetry" / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(own)], check=True)
    made = subprocess.run(
        [str(own / "bin" / "python"), "tools/install.py", "main"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "No matching distribution found for poetry" in made.stderr
    assert (own / "bin" / "pip").exists()


def test_what_is_installed_is_left_alone(checkout: Path) -> None:
    before = sorted(checkout.rglob("*"))
    Installer(checkout, None).install(["main", "localcloud"])
    lock = [checkout / ".poetry", checkout / ".poetry" / "lock"]
    assert sorted(checkout.rglob("*")) == sorted([*before, *lock])


@pytest.mark.usefixtures("no_index")
def test_an_unfinished_installation_is_not_trusted(checkout: Path) -> None:
    (checkout / ".venv" / "unfinished").touch()
    with pytest.raises(InstallError) as caught:
        Installer(checkout, None).install(["main"])
    assert "No matching distribution found for poetry" in str(caught.value)
    assert str(checkout / ".poetry" / "install.log") in str(caught.value)


def test_a_changed_lock_file_is_noticed(checkout: Path) -> None:
    """Noticed by the attempt to run a Poetry that is none."""
    (checkout / "poetry.lock").write_text("another")
    python = checkout / ".poetry" / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (checkout / ".poetry" / "poetry.json").write_text(json.dumps({"pins": POETRY}))
    with pytest.raises(InstallError, match="No module named poetry"):
        Installer(checkout, None).install(["main"])
    assert (checkout / ".venv" / "unfinished").exists()
