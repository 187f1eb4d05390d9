"""The servers that the clients of tests/clients talk to, and where the clients are installed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from localcloud.weights.cache import cache_dir
from tests.localcloud.atlas.server import Atlas
from tests.localcloud.replicate.replicate_process import Server

SCRIPTS = Path(__file__).parent / "scripts"
# The clients for Node, each in the version that these tests were written for.
NODE_PACKAGES = (
    "mongodb@7.9.0",
    "mongoose@9.12.1",
    "mongosh@2.12.0",
    "replicate@1.4.0",
    "hookdeck-cli@2.6.0",
)
# Seconds that one script may take.
TIMEOUT = 180

Script = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Atlas]:
    servers = Atlas(tmp_path_factory.mktemp("atlas"))
    try:
        servers.start("secantus", "atlas")
        yield servers
    finally:
        servers.stop()


@pytest.fixture(scope="session")
def replicate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("replicate") / "data")
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The folder with the clients for Node."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("the clients for Node need node and npm, which are not installed")
    install = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", *NODE_PACKAGES]
    return _installed("node", NODE_PACKAGES, [[npm, "init", "--yes"], install]) / "node_modules"


@pytest.fixture(scope="session")
def node(node_modules: Path) -> Script:
    """Runs a script of SCRIPTS with Node and returns what it reports."""

    def run(script: str, *arguments: str, **environment: str) -> dict[str, Any]:
        # Node looks for packages in the folders above the script.
        place = node_modules.parent / script
        for name in (script, "common.mjs"):
            shutil.copyfile(SCRIPTS / name, node_modules.parent / name)
        return _report(["node", str(place), *arguments], environment, node_modules.parent)

    return run


def python(*packages: str) -> Script:
    """Runs a script of SCRIPTS with a Python that has those packages, and returns its report."""
    commands = [
        [sys.executable, "-m", "venv", "venv"],
        ["venv/bin/python", "-m", "pip", "install", "--quiet", *packages],
    ]
    version = sysconfig.get_python_version()
    folder = _installed("python", (version, *packages), commands)

    def run(script: str, *arguments: str, **environment: str) -> dict[str, Any]:
        program = folder / "venv" / "bin" / "python"
        return _report([str(program), str(SCRIPTS / script), *arguments], environment, folder)

    return run


def _installed(kind: str, packages: Sequence[str], commands: Sequence[Sequence[str]]) -> Path:
    """A folder of the cache in which the commands were carried out once, with success."""
    digest = hashlib.sha256("\n".join(packages).encode()).hexdigest()[:12]
    parent = cache_dir() / "clients"
    parent.mkdir(parents=True, exist_ok=True)
    folder, done = parent / f"{kind}-{digest}", parent / f"{kind}-{digest}" / "done"
    with (parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for command in commands:
                subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL)
            done.touch()
    return folder


def _report(argv: Sequence[str], environment: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """The JSON object on the last line that a script prints."""
    ended = subprocess.run(
        argv,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        stdin=subprocess.DEVNULL,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    report = json.loads(ended.stdout.splitlines()[-1])
    assert isinstance(report, dict)
    return report


@pytest.fixture(scope="session")
def mongosh(node_modules: Path) -> Script:
    """Runs a script of SCRIPTS with MongoDB's shell and returns what it reports."""

    def run(script: str, uri: str) -> dict[str, Any]:
        shell = node_modules / ".bin" / "mongosh"
        argv = [str(shell), uri, "--quiet", "--norc", "--file", str(SCRIPTS / script)]
        home = node_modules.parent / "home"
        home.mkdir(exist_ok=True)
        return _report(argv, {"HOME": str(home)}, node_modules.parent)

    return run
