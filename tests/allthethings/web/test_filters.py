"""The chips of the search page: filters that hold, and filters that would narrow the results."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from lxml import html

from allthethings.assets.asset import AssetStatus as S
from allthethings.search.results import Facets
from allthethings.web.filters import MOST
from tests.allthethings.web.in_memory import Memory, make_app, make_asset, make_hit, rendered

FACETS = Facets(
    things=9,
    kinds={"audio": 6, "web page": 3},
    sites={"radio.test": 9},
    years={"2025": 5, "2024": 4},
)


def world(facets: Facets = FACETS) -> Memory:
    hits = [make_hit("A dance of bees.", 0.7)]
    return Memory([make_asset(1, S.SEARCHABLE)], hits=hits, facets=facets)


def chips(tree: html.HtmlElement, held: bool) -> dict[str, dict[str, list[str]]]:
    """The texts of the chips, each with the parameters of the page that it leads to."""
    kind = "chip on" if held else "chip"
    return {
        " ".join(chip.text_content().split()): parse_qs(urlsplit(chip.get("href")).query)
        for chip in tree.xpath(f"//a[@class='{kind}']")
    }


def page(memory: Memory, **asked: str) -> html.HtmlElement:
    return rendered(memory, "/search?" + urlencode(asked))


def test_each_value_that_narrows_is_a_link_that_adds_its_filter() -> None:
    tree = page(world(), query="bees", page="3")
    assert chips(tree, held=False) == {
        "audio 6": {"query": ["bees"], "kind": ["audio"]},
        "web page 3": {"query": ["bees"], "kind": ["web page"]},
        "2025 5": {"query": ["bees"], "after": ["2025"], "before": ["2026"]},
        "2024 4": {"query": ["bees"], "after": ["2024"], "before": ["2025"]},
    }
    assert "Among the best 9 matches" in tree.xpath("string(//nav[@aria-label='Filters'])")


def test_filters_of_the_form_and_of_the_query_are_removed_one_by_one() -> None:
    asked = {"query": 'bees site:"x.org" -kind:pdf', "lang": "German", "after": "2024"}
    fields = {name: [value] for name, value in asked.items()}
    found = chips(page(world(), **asked), held=True)
    assert found == {
        "Remove the filter Language: German ✕": {
            name: value for name, value in fields.items() if name != "lang"
        },
        "Remove the filter Added from: 2024 ✕": {
            name: value for name, value in fields.items() if name != "after"
        },
        'Remove the filter site:"x.org" ✕': {**fields, "query": ["bees -kind:pdf"]},
        "Remove the filter -kind:pdf ✕": {**fields, "query": ['bees site:"x.org"']},
    }


def test_a_year_is_one_filter() -> None:
    tree = page(world(), query="bees", after="2024", before="2025")
    assert chips(tree, held=True) == {"Remove the filter Added in: 2024 ✕": {"query": ["bees"]}}
    assert not [name for name in chips(tree, held=False) if name.startswith("20")]
    tree = page(world(), query="bees", after="2023", before="2025")
    assert len(chips(tree, held=True)) == 2


def test_a_filter_that_finds_nothing_can_be_removed() -> None:
    nothing = Memory([make_asset(1, S.SEARCHABLE)])
    tree = page(nothing, query="bees", kind="audio")
    assert chips(tree, held=True) == {"Remove the filter Kind: audio ✕": {"query": ["bees"]}}
    assert not chips(tree, held=False)


def test_the_most_frequent_values_are_shown() -> None:
    sites = {f"site-{number}.test": 20 - number for number in range(10)}
    found = chips(page(world(Facets(things=99, sites=sites)), query="bees"), held=False)
    assert list(found) == [f"site-{number}.test {20 - number}" for number in range(MOST)]


@pytest.mark.parametrize("facets", [Facets(), Facets(things=2, kinds={"audio": 2})])
def test_what_narrows_nothing_is_not_shown(facets: Facets) -> None:
    assert not page(world(facets), query="bees").xpath("//nav[@aria-label='Filters']")


def test_a_pasted_text_has_no_chips() -> None:
    """It would become a URL of any length."""
    answer = make_app(world()).test_client().post("/search", data={"query": "kind:audio"})
    assert not html.document_fromstring(answer.text).xpath("//a[starts-with(@class, 'chip')]")


def test_the_counts_are_told_as_json() -> None:
    answer = make_app(world()).test_client().get(
        "/search?query=bees", headers={"Accept": "application/json"}
    )  # fmt: skip
    assert answer.get_json()["facets"] == {
        "things": 9,
        "kind": [{"value": "audio", "count": 6}, {"value": "web page", "count": 3}],
        "site": [{"value": "radio.test", "count": 9}],
        "year": [{"value": "2025", "count": 5}, {"value": "2024", "count": 4}],
    }
