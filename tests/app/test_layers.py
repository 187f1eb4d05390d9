"""Imports run one way, and the parts that stand alone stay alone."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Each module of the app may import modules of earlier lines only.
LAYERS = [
    [
        "bounded",
        "errors",
        "feeds",
        "headers",
        "hosts",
        "markup",
        "redaction",
        "transcripts",
        "wording",
    ],
    ["assets", "deliveries", "passages", "predictions", "queries", "signatures"],
    ["documents", "fetch", "hookdeck", "pages", "query_vectors", "replicate_client", "tokens"],
    ["timeline"],
    ["gateway", "local_model", "passage_index", "passage_store", "tallies"],
    ["asset_list"],
    ["asset_store"],
    ["mongo"],
    ["processors", "generators"],
    ["indexes"],
    ["pipeline", "progress", "search", "health"],
    ["reconciler", "submissions"],
    ["presentation", "standing"],
    ["hygiene", "login", "list_address", "submission_form"],
    [
        "asset_views",
        "feed_views",
        "gateway_views",
        "health_views",
        "search_views",
        "views",
        "webhooks",
    ],
]


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


def test_every_module_of_the_app_has_its_layer() -> None:
    found = {path.stem for path in sources("allthethings")} - {"__init__"}
    assert found == {name for layer in LAYERS for name in layer}


def test_imports_of_the_app_run_one_way() -> None:
    level = {name: number for number, layer in enumerate(LAYERS) for name in layer}
    backwards = [
        f"{path.stem} imports {name}"
        for path in sources("allthethings")
        if path.stem in level
        for full in imported(path)
        if full.startswith("allthethings.") and (name := full.split(".")[1]) in level
        if level[name] >= level[path.stem] and name != path.stem
    ]
    assert not backwards


def test_the_app_and_the_stand_ins_do_not_know_each_other() -> None:
    ours = {"allthethings", "app", "config"}
    for path in sources("localcloud"):
        tops = {name.split(".")[0] for name in imported(path)}
        assert not tops & ours, path
        assert "secantus" not in tops, f"{path}: it is a program of its own"
    for path in [*sources("allthethings"), ROOT / "app.py", ROOT / "config.py"]:
        assert not any(name.startswith("localcloud") for name in imported(path)), path


def test_the_guarded_fetch_stands_alone() -> None:
    for path in sources("guardedfetch"):
        tops = {name.split(".")[0] for name in imported(path)}
        assert not tops & {"allthethings", "localcloud", "app", "config"}, path


def test_routes_know_neither_the_database_driver_nor_the_http_client() -> None:
    for name in LAYERS[-1]:
        tops = {full.split(".")[0] for full in imported(ROOT / "allthethings" / f"{name}.py")}
        assert not tops & {"pymongo", "bson", "httpx", "replicate"}, name


def test_config_alone_reads_the_environment() -> None:
    for path in [*sources("allthethings"), ROOT / "app.py"]:
        assert not {name.split(".")[0] for name in imported(path)} & {"os", "dotenv"} or (
            # writes an env file; sets a niceness
            path.stem in {"hookdeck", "bounded"}
        ), path
