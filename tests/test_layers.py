"""Imports run one way, and the parts that stand alone stay alone."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The rooms of the app, from the ground up: folders, and the few modules beside them. Each imports
# only from those before it.
ROOMS = (
    "errors",
    "redaction",
    "hosts",
    "assets",
    "replicate",
    "hookdeck",
    "sources",
    "store",
    "mongo",
    "health",
    "generators",
    "processors",
    "pipeline",
    "search",
    "web",
)


def imported(path: Path) -> set[str]:
    """The dotted names that a file imports, at any depth; relative ones as absolute ones."""
    names: set[str] = set()
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *filter(None, [node.module])])
            names.update({module, *(f"{module}.{alias.name}" for alias in node.names)})
    return names


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def room_of(path: Path) -> str:
    """The folder of the app that a file is in, or the module that it is."""
    return path.relative_to(ROOT / "allthethings").parts[0].removesuffix(".py")


def test_every_room_of_the_app_has_its_place() -> None:
    found = {room_of(path) for path in sources("allthethings")} - {"__init__"}
    assert found == set(ROOMS)


def test_imports_of_the_app_run_one_way() -> None:
    level = {room: number for number, room in enumerate(ROOMS)}
    backwards = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources("allthethings")
        if room_of(path) in level
        for name in imported(path)
        if name.startswith("allthethings.")
        if level[name.split(".")[1]] > level[room_of(path)]
    ]
    assert not backwards


def test_the_app_and_the_stand_ins_do_not_know_each_other() -> None:
    ours = {"allthethings", "app", "config", "serve"}
    for path in sources("localcloud"):
        tops = {name.split(".")[0] for name in imported(path)}
        assert not tops & ours, path
    for path in [
        *sources("allthethings"),
        *map(ROOT.joinpath, ("app.py", "config.py", "serve.py")),
    ]:
        assert not any(name.startswith("localcloud") for name in imported(path)), path


def test_gpl_code_is_in_a_folder_and_a_process_of_its_own() -> None:
    # localcloud/secantus is loaded into SecantusDB, which is GPL-2.0, and is GPL-2.0 itself. The
    # rest is MIT: it starts that program and imports nothing from it.
    folder = ROOT / "localcloud/secantus"
    rooms = (
        "allthethings",
        "guardedfetch",
        "guardedserve",
        "localcloud",
        "mcpserver",
        "tests",
        "tools",
    )
    everything = [*ROOT.glob("*.py"), *(path for room in rooms for path in sources(room))]
    for path in everything:
        names = set() if folder in path.parents else imported(path)
        assert not any(f"{name}.".startswith("localcloud.secantus.") for name in names), path
        assert "secantus" not in {name.split(".")[0] for name in names}, path
    for path in folder.rglob("*.py"):
        assert path.read_text("utf-8").startswith("# SPDX-License-Identifier: GPL-2.0-only\n"), path
        ours = {name for name in imported(path) if name.startswith("localcloud")}
        assert all(name.startswith("localcloud.secantus") for name in ours), path


def test_the_guarded_fetch_and_the_guarded_server_stand_alone() -> None:
    for path in [*sources("guardedfetch"), *sources("guardedserve")]:
        tops = {name.split(".")[0] for name in imported(path)}
        assert not tops & {"allthethings", "localcloud", "app", "config", "serve"}, path


def test_the_mcp_server_stands_alone() -> None:
    for path in sources("mcpserver"):
        tops = {name.split(".")[0] for name in imported(path)}
        assert not tops & {"allthethings", "localcloud", "app", "config", "serve"}, path
    for folder in ("allthethings", "guardedfetch", "guardedserve", "localcloud"):
        for path in sources(folder):
            assert not {name.split(".")[0] for name in imported(path)} & {"mcp", "mcpserver"}, path


def test_pages_know_neither_the_database_driver_nor_the_http_client() -> None:
    for path in sources("allthethings/web"):
        tops = {name.split(".")[0] for name in imported(path)}
        assert not tops & {"pymongo", "bson", "httpx", "replicate"}, path


def test_config_alone_reads_the_environment() -> None:
    # The first writes an .env file, the second sets a niceness, the third how much a library logs,
    # the fourth looks at processes.
    other_uses = {
        "allthethings/hookdeck/connections.py",
        "allthethings/processors/low_priority.py",
        "allthethings/processors/frames.py",
        "allthethings/store/owners.py",
    }
    for path in [*sources("allthethings"), ROOT / "app.py"]:
        if str(path.relative_to(ROOT)) not in other_uses:
            assert not {name.split(".")[0] for name in imported(path)} & {"os", "dotenv"}, path


def test_the_tools_need_no_tests() -> None:
    for path in sources("tools"):
        assert not any(name.split(".")[0] == "tests" for name in imported(path)), path
