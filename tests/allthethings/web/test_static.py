"""What a strict Content-Security-Policy asks of the templates and the static files."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[3]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
STATIC = ROOT / "static"
SCRIPTS = sorted(STATIC.rglob("*.js"))
BUDGET = 100_000

TAG = re.compile(r"<[a-zA-Z][^<>]*>")
SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script>", re.DOTALL | re.IGNORECASE)
FOREIGN = re.compile(r"""\b(?:src|href|action|data|poster)\s*=\s*["']\s*(?:https?:)?//""", re.I)
HANDLER = re.compile(r"\son[a-z]+\s*=", re.IGNORECASE)
AS_MARKUP = (
    r"innerHTML|outerHTML|insertAdjacentHTML|setHTML|parseHTML|parseFromString|srcdoc"
    r"|createContextualFragment|document\.write"
)
UNSAFE_SCRIPT = re.compile(rf"""https?://|\beval\b|\bFunction\(|{AS_MARKUP}""")
# They read parts of their own page anew: a document of the server's in which no script runs.
ALLOWED = {name: ["parseFromString"] for name in ("import.js", "search.js", "thing.js")}
UNESCAPED = re.compile(r"\|\s*safe\b|autoescape\s+false|\bMarkup\b")

every_template = pytest.mark.parametrize(
    "template", TEMPLATES, ids=lambda path: path.relative_to(ROOT / "templates").as_posix()
)


def test_there_are_templates_to_check() -> None:
    names = {path.name for path in TEMPLATES}
    assert names >= {"layout.html", "home.html", "search.html", "asset.html", "error.html"}


@every_template
def test_nothing_is_inline(template: Path) -> None:
    text = template.read_text()
    assert not re.search(r"<style\b", text, re.IGNORECASE)
    assert [body for _, body in SCRIPT.findall(text) if body.strip()] == []
    assert all("src=" in attributes for attributes, _ in SCRIPT.findall(text))
    for tag in TAG.findall(text):
        assert not re.search(r"\sstyle\s*=", tag), tag
        assert not HANDLER.search(tag), tag
        assert "javascript:" not in tag.lower(), tag


@every_template
def test_nothing_comes_from_another_host(template: Path) -> None:
    assert FOREIGN.findall(template.read_text()) == []


@every_template
def test_everything_is_escaped(template: Path) -> None:
    assert UNESCAPED.findall(template.read_text()) == []


def test_the_stylesheet_asks_no_other_host() -> None:
    style = (STATIC / "style.css").read_text()
    assert not re.search(r"@import|url\(\s*[\"']?(?:https?:)?//", style)
    assert "prefers-color-scheme" in style


def test_there_are_scripts_to_check() -> None:
    assert {script.name for script in SCRIPTS} >= {"app.js", *ALLOWED}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_asks_no_other_host_and_takes_no_text_for_markup(script: Path) -> None:
    assert UNSAFE_SCRIPT.findall(script.read_text()) == ALLOWED.get(script.name, [])


def test_script_and_style_are_small_together() -> None:
    files = [*STATIC.rglob("*.css"), *STATIC.rglob("*.js")]
    assert sum(file.stat().st_size for file in files) < BUDGET


def test_the_mark_is_a_plain_drawing() -> None:
    text = (STATIC / "mark.svg").read_text()
    tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(text).iter()}  # noqa: S314  our own file
    assert not tags & {"script", "foreignObject", "image", "use", "a"}
    assert not HANDLER.search(text)
