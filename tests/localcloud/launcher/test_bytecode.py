"""Compiled modules are kept in the user's cache where PYTHONDONTWRITEBYTECODE is set."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tools.harness.cloud import ROOT, refusal

MODULE = "allthethings.assets.asset"
# What a program does that keeps compiled modules: it imports a module, and so does its child.
CODE = f"""
import subprocess, sys
from localcloud import bytecode
bytecode.keep()
import localcloud.ports
subprocess.run([sys.executable, "-c", "import {MODULE}"], check=True)
"""


def compiled(environment: Mapping[str, str], below: Path) -> set[str]:
    """The modules that were compiled into that folder."""
    base = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, env={**base, **environment}, check=True)
    return {path.name.partition(".")[0] for path in below.rglob("*.pyc")}


def test_a_program_and_its_child_keep_them_in_the_cache(tmp_path: Path) -> None:
    environment = {"PYTHONDONTWRITEBYTECODE": "1", "XDG_CACHE_HOME": str(tmp_path)}
    assert {"ports", "asset"} <= compiled(environment, tmp_path / "index-all-the-things")


def test_a_folder_that_was_chosen_is_used(tmp_path: Path) -> None:
    environment = {
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPYCACHEPREFIX": str(tmp_path / "chosen"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    assert {"ports", "asset"} <= compiled(environment, tmp_path / "chosen")
    assert not (tmp_path / "cache").exists()


def test_python_that_may_write_them_is_left_alone(tmp_path: Path) -> None:
    chosen = {"PYTHONPYCACHEPREFIX": str(tmp_path / "own"), "XDG_CACHE_HOME": str(tmp_path / "no")}
    assert {"ports", "asset"} <= compiled(chosen, tmp_path / "own")
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("package", ["launcher.py", "launch_settings.py"])
def test_the_launcher_keeps_its_own(tmp_path: Path, package: str) -> None:
    refusal(
        tmp_path / "var",
        PORT="none",
        PYTHONDONTWRITEBYTECODE="1",
        PYTHONPYCACHEPREFIX="",
        XDG_CACHE_HOME=str(tmp_path / "cache"),
    )
    stem = package.partition(".")[0]
    assert [*(tmp_path / "cache").rglob(f"localcloud/{stem}.*.pyc")]
