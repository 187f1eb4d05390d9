"""The files for deployments fit the project: no engine is needed to run these tests."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import parse_wheel_filename

from allthethings.pipeline.worker import STOP_SECONDS
from localcloud.weights import cache as weights
from tests.test_layers import ROOT

PYTHONS = ((3, 11), (3, 12), (3, 13))
# Debian 12 has glibc 2.36. The wheels of OpenVINO for arm64 need 2.35, as in Ubuntu 22.04.
PLATFORMS = {
    "Linux, x86-64": [f"manylinux_2_{minor}_x86_64" for minor in range(36, 4, -1)]
    + ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"],
    "Linux, arm64": [f"manylinux_2_{minor}_aarch64" for minor in range(36, 16, -1)]
    + ["manylinux2014_aarch64"],
    "macOS, arm64": [*mac_platforms((14, 0), "arm64")],
}


def instructions(name: str) -> list[tuple[str, str]]:
    """The instructions of a stage of the Dockerfile, after those of the stages it is made from."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
    stages = re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]
    for stage in stages:
        head, *lines = stage.splitlines()
        image, _, own = head.partition(" AS ")
        if own == name:
            found = re.findall(r"^([A-Z]+) (.+)$", "\n".join(lines), flags=re.MULTILINE)
            return [*instructions(image), *found]
    return []


def image(name: str, folder: Path) -> Path:
    """The project's files as that stage of the Dockerfile has them."""
    sent = [
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().split()
        if line.startswith("!")
    ]
    folder.mkdir()
    for instruction, arguments in instructions(name):
        if instruction != "COPY" or arguments.startswith("--from"):
            continue
        *paths, target = arguments.split()
        for path in paths:
            assert any(Path(path).match(each) for each in sent), f"{path} is in .dockerignore"
            if (ROOT / path).is_dir():
                shutil.copytree(
                    ROOT / path, folder / target, ignore=shutil.ignore_patterns("__pycache__")
                )
            else:
                shutil.copy(ROOT / path, folder / target)
    return folder


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("app", "import app, serve; import localcloud"),
        ("app", "import app, serve"),
        ("local", "import app, serve; import localcloud.command, localcloud.launcher"),
    ],
    ids=["the app alone has no stand-ins", "the app", "the app with the stand-ins"],
)
def test_an_image_has_what_it_imports(tmp_path: Path, name: str, code: str) -> None:
    folder = image(name, tmp_path / "srv")
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    lacks = "localcloud" if name == "app" and "localcloud" in code else ""
    assert (f"No module named '{lacks}'" in ran.stderr) is bool(lacks), ran.stderr
    assert (ran.returncode == 0) is not bool(lacks), ran.stderr


def test_an_image_has_the_setup_scripts_and_the_pages(tmp_path: Path) -> None:
    folder = image("app", tmp_path / "srv")
    for script in ROOT.glob("create-*.py"):
        subprocess.run([sys.executable, script.name, "--help"], cwd=folder, check=True)
    assert {path.name for path in folder.iterdir()} >= {"templates", "static", "examples"}


def test_fly_waits_for_what_is_under_way() -> None:
    fly = tomllib.loads((ROOT / "fly.toml").read_text())
    assert fly["kill_timeout"] > STOP_SECONDS


def commands() -> dict[str, list[str]]:
    """The command lines of all deployments, without repetitions."""
    compose: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    fly = tomllib.loads((ROOT / "fly.toml").read_text())
    lines = [*fly["processes"].values(), fly["deploy"]["release_command"]]
    for path in (ROOT / "deploy").glob("*.service"):
        lines += re.findall(r"^ExecStart(?:Pre)?=.*/(.+)$", path.read_text(), re.MULTILINE)
    found = [each["command"] for each in compose.values() if "command" in each]
    return {shlex.join(each): each for each in [*found, *map(shlex.split, lines)]}


@pytest.mark.parametrize("command", commands().values(), ids=commands())
def test_a_command_is_one_of_the_projects(command: list[str]) -> None:
    program, *rest = command
    assert program in {"python", "flask"}
    module = ["-m", "flask"] if program == "flask" else []
    ran = subprocess.run(
        [sys.executable, *module, *rest, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=_settings(),
    )
    assert ran.returncode == 0, ran.stderr
    assert "usage" in ran.stdout.lower()


def _settings() -> dict[str, str]:
    """What the app must have to be made; nothing is connected to."""
    folder = weights.present("all-mpnet-base-v2")
    assert folder is not None
    urls = [name for name in dotenv_values(ROOT / ".env-example") if name.endswith("_WEBHOOK_URL")]
    return {
        **dict.fromkeys(urls, "http://127.0.0.1:9/x"),
        "MONGODB_CONNECTION_URI": "mongodb://127.0.0.1:9/",
        "REPLICATE_API_TOKEN": "r8_of_the_tests",
        "HOOKDECK_WEBHOOK_SECRET": "of the tests",
        "SECRET_KEY": "of the tests",
        "TOKENIZER": str(folder / "tokenizer.json"),
        "PATH": "",
    }


def test_compose_sets_settings_that_exist() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    named = {name for each in services.values() for name in each.get("environment", ())}
    assert named <= {*dotenv_values(ROOT / ".env-example")}


def locked() -> list[dict[str, Any]]:
    """The packages that a deployment or `make run` installs."""
    packages = tomllib.loads((ROOT / "poetry.lock").read_text())["package"]
    return [each for each in packages if {"main", "localcloud"} & {*each["groups"]}]


def tags(python: tuple[int, int], platforms: list[str]) -> set[Tag]:
    interpreter = f"cp{python[0]}{python[1]}"
    return {
        *cpython_tags(python, platforms=platforms),
        *compatible_tags(python, interpreter=interpreter, platforms=platforms),
    }


@pytest.mark.parametrize("platforms", PLATFORMS.values(), ids=PLATFORMS)
@pytest.mark.parametrize("python", PYTHONS, ids=lambda version: "{}.{}".format(*version))
def test_every_locked_package_has_a_wheel(python: tuple[int, int], platforms: list[str]) -> None:
    """Without one, its users would need a compiler."""
    packages, fitting = locked(), tags(python, platforms)
    assert len(packages) > 50
    without = [
        package["name"]
        for package in packages
        if not any(
            file["file"].endswith(".whl") and parse_wheel_filename(file["file"])[3] & fitting
            for file in package["files"]
        )
    ]
    assert without == []
