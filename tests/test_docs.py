"""The README and docs: links lead to something, and the API's page has the app's routes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from werkzeug.routing import MapAdapter

from tests.allthethings.web.in_memory import Memory, make_app
from tests.test_layers import ROOT

PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
API = ROOT / "docs" / "http-api.md"
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CODE = re.compile(r"```.*?```", re.DOTALL)
# A file or a folder in one of the project's folders, in a text or a command.
FILE = re.compile(
    r"(?<![\w/.-])(?:allthethings|docs|examples|guardedfetch|localcloud|mcpserver|static|templates|tests|tools)"
    r"/[\w./-]*\w"
)
TEST = re.compile(r"^ *def (test_\w+)", re.MULTILINE)
# A route as the page names it, such as `GET /assets/<id>`.
ROUTE = re.compile(r"`((?:GET|POST) /[^`]*)`")
EXAMPLE = re.compile(r"\bcurl (?P<options>.*)\$app(?P<path>/[^\s\"?;]*)")


@pytest.fixture(scope="module")
def routes() -> MapAdapter:
    """The routes of an app that has them all."""
    return make_app(Memory(), app_password="of the tests").url_map.bind("app.test")


def anchors(page: Path) -> set[str]:
    """The names under which GitHub links to the page's headings."""
    headings = HEADING.findall(CODE.sub("", page.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_something(page: Path) -> None:
    broken = []
    for link in LINK.findall(CODE.sub("", page.read_text("utf-8"))):
        path, _, anchor = link.partition("#")
        if re.match(r"https?:", path):
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    named = FILE.findall(page.read_text("utf-8"))
    assert not [name for name in named if not (ROOT / name).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tests_that_are_named_exist(page: Path) -> None:
    tests = [path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    there = {name for text in tests for name in TEST.findall(text)} | {
        path.stem for path in (ROOT / "tests").rglob("test_*.py")
    }
    named = set(re.findall(r"\btest_\w+", page.read_text("utf-8")))
    assert named <= there


def test_the_page_has_the_routes_of_the_app(routes: MapAdapter) -> None:
    named = {re.sub(r"<[^>]+>", "<>", route) for route in ROUTE.findall(API.read_text("utf-8"))}
    assert named == {
        f"{method} {re.sub(r'<[^>]+>', '<>', rule.rule)}"
        for rule in routes.map.iter_rules()
        if rule.endpoint != "static"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_every_example_asks_a_route(routes: MapAdapter) -> None:
    examples = list(EXAMPLE.finditer(API.read_text("utf-8")))
    assert len(examples) > 10
    for example in examples:
        posted = re.search(r"-(X POST|d|F|-data-urlencode \w+@)", example["options"])
        # Raises NotFound or MethodNotAllowed.
        routes.match(example["path"], "POST" if posted else "GET")
