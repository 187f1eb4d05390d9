"""The examples are there, small, our own size, and not to be found by their words."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import trafilatura

from allthethings.processors import kinds, processor_class
from allthethings.processors.document_processor import DocumentProcessor
from allthethings.processors.unpacking import unpacked
from allthethings.sources.fetch import Download
from tests.allthethings.processors.kinds import recognised

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
LISTED: list[dict[str, Any]] = json.loads((EXAMPLES / "examples.json").read_text())
LITTLE_WORDS = re.compile(
    r"an?|after|and|are|at|before|by|each|for|from|how|in|is|its?|of|on|or|other|so|that|the|their|"
    r"this|to|used|was|were|what|when|where|which|while|who|why|with"
)
BOILERPLATE = ("Cookie settings", "Subscribe", "made-up magazine", "Elsewhere in the almanac")
# Files beside the examples.
NOT_OFFERED = {"README.md", "examples.json", "page.css"}
# Word forms of one stem mostly agree in their first letters.
STEM = 5

every_example = pytest.mark.parametrize("example", LISTED, ids=lambda example: example["file"])
every_page = pytest.mark.parametrize("page", sorted(EXAMPLES.glob("*.html")), ids=lambda p: p.name)


def text_of(file: Path) -> str:
    if file.suffix in (".mp3", ".webm"):
        return (EXAMPLES / "texts" / f"{file.stem}.txt").read_text()
    if file.suffix == ".png":
        return trafilatura.extract((EXAMPLES / "sources" / f"{file.stem}.html").read_text()) or ""
    if file.suffix == ".html":
        return trafilatura.extract(file.read_text()) or ""
    if file.suffix == ".zip":
        members = unpacked(file.read_bytes(), f"https://e.example/{file.name}")
        return "\n".join(f"{member.path}\n{content.decode()}" for member, content in members)
    processor = processor_class(recognised(file))
    assert issubclass(processor, DocumentProcessor)
    document = Download(f"/{file.name}", file.read_bytes(), None, recognised(file))
    return processor.parse(document).text


def stems(text: str) -> set[str]:
    words = re.findall(r"[a-z]+", text.lower())
    return {word[:STEM] for word in words if not LITTLE_WORDS.fullmatch(word)}


def test_every_kind_is_offered_and_nothing_is_left_out() -> None:
    files = {file.name for file in EXAMPLES.iterdir() if file.is_file()}
    assert files == {example["file"] for example in LISTED} | NOT_OFFERED
    assert {example["kind"] for example in LISTED} == set(kinds())


@every_example
def test_it_is_complete_and_small(example: dict[str, Any]) -> None:
    assert set(example) == {"file", "title", "kind", "about", "query"}
    assert all(isinstance(value, str) and value for value in example.values())
    assert 0 < (EXAMPLES / example["file"]).stat().st_size < 300_000


@every_example
def test_its_query_shares_no_content_word_with_it(example: dict[str, Any]) -> None:
    text = text_of(EXAMPLES / example["file"])
    shared = stems(example["query"]) & stems(f"{example['title']} {text}")
    assert shared == set()


@every_page
def test_a_page_is_an_article_with_something_around_it(page: Path) -> None:
    source, text = page.read_text(), text_of(page)
    assert 600 <= len(text.split()) <= 1500
    for phrase in BOILERPLATE:
        assert phrase in source
        assert phrase not in text
