"""Install the project: Poetry into `.poetry`, the locked dependencies into `.venv`.

    python tools/install.py GROUP...

Runs on any Python with nothing but the standard library. A second run finds its
stamp and returns at once. Poetry is told where packages come from by pip's own settings.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

POETRY = ("poetry==2.5.1", "poetry-plugin-pypi-mirror==0.6.5")

# The Python with which environments are made: not that of `.venv`, which is deleted before.
BASE_PYTHON = str(getattr(sys, "_base_executable", None) or sys.executable)

# What `pip install` itself would use: its files, its environment, or its built-in default.
ASK_PIP = """
import json
from pip._internal.commands import create_command
options = create_command("install").parser.get_default_values()
print(json.dumps({"index": options.index_url, "certificates": options.cert}))
"""

# These would lead Poetry to another environment than the project's own.
MISLEADING = ("VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "PYTHONHOME", "PYTHONPATH")

OPERATION = re.compile(r"^\s*[-\u2022] (Installing|Updating|Downgrading|Removing) (\S+)")
OPERATIONS = re.compile(r"^Package operations: (\d+) installs?, (\d+) updates?, (\d+) removals?")


class InstallError(Exception):
    """The installation cannot go on; the message is for the person who asked for it."""


class Installer:
    """Brings one checkout's two environments to what its lock file says."""

    def __init__(self, root: Path, wanted_python: str | None) -> None:
        self.root = root
        self.venv = root / ".venv"
        self.home = root / ".poetry"
        self.poetry = self.home / "venv"
        self.log = self.home / "install.log"
        self._stamp = self.venv / "installed.json"
        self._unfinished = self.venv / "unfinished"
        self._wanted_python = wanted_python
        self._began = time.monotonic()

    def install(self, groups: Sequence[str]) -> None:
        """Install the groups, and keep those that an earlier run installed."""
        self.home.mkdir(exist_ok=True)
        with self._alone():
            stamp = self._read_stamp()
            groups = sorted({*groups, *installed_groups(stamp)})
            wanted = {"lock": self._lock_hash(), "groups": groups}
            if stamp == wanted and self._venv_serves():
                return
            self.log.write_bytes(b"")
            self._prepare_poetry()
            self._prepare_venv()
            self._sync(groups)
            write_json(self._stamp, wanted)
            self._unfinished.unlink()
            self._say("installed")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait until no other installation works in this checkout."""
        with (self.home / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._say("waiting for another installation in this folder")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _lock_hash(self) -> str:
        return hashlib.sha256((self.root / "poetry.lock").read_bytes()).hexdigest()

    def _read_stamp(self) -> dict[str, object]:
        """What `.venv` holds; nothing when an installation stopped half-way."""
        if self._unfinished.exists():
            return {}
        return read_json(self._stamp)

    def _venv_serves(self) -> bool:
        """Whether `.venv` has a working Python: the wanted one, if one was named."""
        version = python_version(self.venv / "bin" / "python")
        if self._wanted_python:
            return version == sys.version_info[:2]
        return version is not None and (3, 11) <= version <= (3, 13)

    def _prepare_poetry(self) -> None:
        stamp = self.home / "poetry.json"
        python = self.poetry / "bin" / "python"
        if read_json(stamp) == {"pins": list(POETRY)} and python_version(python):
            return
        stamp.unlink(missing_ok=True)
        self._say("installing Poetry")
        self._create(self.poetry)
        self._run(
            [str(python), "-m", "pip", "install", "--progress-bar=off", *POETRY],
            without_misleading(os.environ),
        )
        write_json(stamp, {"pins": list(POETRY)})

    def _prepare_venv(self) -> None:
        """Make `.venv` unless it serves, and mark it as being worked on."""
        if self._unfinished.exists() or not self._venv_serves():
            self._say("creating .venv")
            self._create(self.venv)
        self._unfinished.touch()
        self._stamp.unlink(missing_ok=True)

    def _create(self, path: Path) -> None:
        if not all(map(importlib.util.find_spec, ("venv", "ensurepip"))):
            version = "{}.{}".format(*sys.version_info[:2])
            raise InstallError(
                f"{BASE_PYTHON} comes without its venv module.\n"
                f"Debian, Ubuntu: apt install python{version}-venv (or python3-venv)"
            )
        shutil.rmtree(path, ignore_errors=True)
        self._run([BASE_PYTHON, "-m", "venv", str(path)], without_misleading(os.environ))

    def _sync(self, groups: Sequence[str]) -> None:
        total, done = 0, 0

        def progress(line: str) -> None:
            nonlocal total, done
            if counts := OPERATIONS.match(line):
                total = sum(map(int, counts.groups()))
            elif operation := OPERATION.match(line):
                done += 1
                self._show(f"dependencies: {done} of {total}, {operation[2]}")

        self._say("installing the locked dependencies")
        python = str(self.poetry / "bin" / "python")
        command = [python, "-m", "poetry", "sync", "--no-ansi", "--no-root"]
        self._run([*command, "--only", ",".join(groups)], self._poetry_environment(), progress)
        self._show("")

    def _poetry_environment(self) -> dict[str, str]:
        """The environment in which Poetry uses `.venv` and pip's package index."""
        python = str(self.poetry / "bin" / "python")
        answer = json.loads(subprocess.check_output([python, "-c", ASK_PIP], text=True))
        environment = without_misleading(os.environ) | {
            "POETRY_PYPI_MIRROR_URL": answer["index"],
            "POETRY_VIRTUALENVS_CREATE": "true",
            "POETRY_VIRTUALENVS_IN_PROJECT": "true",
            "POETRY_KEYRING_ENABLED": "false",  # a locked keyring would ask, and wait
            "POETRY_NO_INTERACTION": "1",
            "PYTHONUNBUFFERED": "1",
        }
        if answer["certificates"]:
            environment.setdefault("REQUESTS_CA_BUNDLE", answer["certificates"])
            environment.setdefault("SSL_CERT_FILE", answer["certificates"])
        return environment

    def _run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        watch: Callable[[str], None] | None = None,
    ) -> None:
        """Run a command with its output in the log; `watch` sees each line of it."""
        tail: list[str] = []
        with (
            self.log.open("a") as log,
            subprocess.Popen(
                command,
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as process,
        ):
            for line in process.stdout or ():
                log.write(line)
                if watch is not None:
                    watch(line)
                tail = [*tail[-14:], line]
        if process.returncode != 0:
            self._show("")
            reason = "".join(tail).strip()
            raise InstallError(f"{reason}\n\nThe installation failed. The whole log: {self.log}")

    def _say(self, text: str) -> None:
        self._show("")
        print(f"[{time.monotonic() - self._began:5.1f} s] {text}", file=sys.stderr, flush=True)

    def _show(self, text: str) -> None:
        """One line that the next one overwrites, for a person at a terminal."""
        if sys.stderr.isatty():
            elapsed = f"[{time.monotonic() - self._began:5.1f} s] " if text else ""
            print(f"\r\x1b[K{elapsed}{text}"[:100], end="", file=sys.stderr, flush=True)


def python_version(python: Path) -> tuple[int, int] | None:
    """The version of a Python program, or None when it does not run."""
    ask = "import sys; print(*sys.version_info[:2])"
    try:
        answer = subprocess.check_output([python, "-c", ask], stderr=subprocess.DEVNULL)
        major, minor = map(int, answer.split())
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None
    return major, minor


def without_misleading(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in MISLEADING}


def read_json(path: Path) -> dict[str, object]:
    """The object in the file; an empty one when there is none to be read."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def installed_groups(stamp: Mapping[str, object]) -> list[str]:
    groups = stamp.get("groups")
    return [str(group) for group in groups] if isinstance(groups, list) else []


def write_json(path: Path, value: Mapping[str, object]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(value))
    partial.replace(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="+", help="dependency groups of pyproject.toml")
    groups = parser.parse_args().groups
    root = Path(__file__).resolve().parent.parent
    try:
        Installer(root, os.environ.get("PYTHON")).install(groups)
    except InstallError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The next start repairs what is half done.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
