from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allthethings.assets.urls import sites_of
from allthethings.errors import BadInput
from allthethings.search.syntax import (
    FIELDS,
    MAX_FILTERS,
    MAX_PHRASE_WORDS,
    MAX_TYPED_WORDS,
    Query,
    parse,
    typed_filters,
)
from allthethings.store.conditions import Condition

KINDS = ["audio", "web page"]


def day(*numbers: int) -> datetime:
    return datetime(*numbers, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", Query("")),
        ("  ships   after dark ", Query("ships after dark")),
        ('the "fresnel lens" turns', Query("the fresnel lens turns", phrases=("fresnel lens",))),
        ('"an unfinished one', Query("an unfinished one", phrases=("an unfinished one",))),
        ('""', Query("")),
        ("tea -milk", Query("tea", without=("milk",))),
        ('tea -"with milk" x', Query("tea x", without=("with milk",))),
        ("a well-known - thing", Query("a well-known - thing")),
        ("after:", Query("after:")),
        ("ratio:3 https://x.org", Query("ratio:3 https://x.org")),
        ("kind:audio", Query("", filters=(Condition("kind", "$eq", "audio"),))),
        ("KIND:Page", Query("", filters=(Condition("kind", "$eq", "web page"),))),
        ('kind:"web page"', Query("", filters=(Condition("kind", "$eq", "web page"),))),
        ("-kind:audio", Query("", filters=(Condition("kind", "$ne", "audio"),))),
        ("site:Example.ORG", Query("", filters=(Condition("site", "$eq", "example.org"),))),
        ("site:https://a.org/x", Query("", filters=(Condition("site", "$eq", "a.org"),))),
        ("site:bücher.de", Query("", filters=(Condition("site", "$eq", "xn--bcher-kva.de"),))),
        ("site:127.0.0.1:8000", Query("", filters=(Condition("site", "$eq", "127.0.0.1"),))),
        ("lang:de", Query("", filters=(Condition("language", "$eq", "de"),))),
        ("lang:German", Query("", filters=(Condition("language", "$eq", "de"),))),
        ("LANG:pt-BR", Query("", filters=(Condition("language", "$eq", "pt"),))),
        ('-lang:"Ancient Greek"', Query("", filters=(Condition("language", "$ne", "grc"),))),
        ("-site:a.org", Query("", filters=(Condition("site", "$ne", "a.org"),))),
        ("after:2024-05", Query("", filters=(Condition("added", "$gte", day(2024, 5, 1)),))),
        ("before:2024-05-07", Query("", filters=(Condition("added", "$lt", day(2024, 5, 7)),))),
        (
            "after:2023 after:2024-01-01 after:2024 before:2025",
            Query(
                "",
                filters=(
                    Condition("added", "$gte", day(2023, 1, 1)),
                    Condition("added", "$gte", day(2024, 1, 1)),
                    Condition("added", "$lt", day(2025, 1, 1)),
                ),
            ),
        ),
    ],
)
def test_the_syntax_that_people_know(text: str, query: Query) -> None:
    assert parse(text, {}, KINDS) == query


LONG = 'The lamp -the "old" one, kind:of - turns' + " slowly" * (MAX_TYPED_WORDS - 7)


def test_a_long_text_has_no_syntax_but_filters_at_its_end() -> None:
    assert len(LONG.split()) == MAX_TYPED_WORDS + 1
    assert parse(LONG, {}, KINDS) == Query(LONG)
    filtered = f'{LONG}\n-site:a.org  kind:"web page" '
    conditions = (Condition("site", "$ne", "a.org"), Condition("kind", "$eq", "web page"))
    assert parse(filtered, {}, KINDS) == Query(LONG, filters=conditions)
    assert [typed for typed, _ in typed_filters(filtered)] == ["-site:a.org", 'kind:"web page"']
    assert parse(f'{LONG} "open kind:page', {}, KINDS).text == f'{LONG} "open'


def test_filters_at_the_end_make_no_query_long() -> None:
    query = parse("tea -milk" + " kind:page" * MAX_TYPED_WORDS, {}, KINDS)
    assert (query.text, query.without) == ("tea", ("milk",))


def test_a_long_sentence_of_chinese_can_be_a_phrase() -> None:
    assert parse(f'"{"茶" * MAX_PHRASE_WORDS}"', {}, KINDS).phrases == ("茶" * MAX_PHRASE_WORDS,)


def test_filters_of_the_form_count_too() -> None:
    with pytest.raises(BadInput, match="at most 50 filters"):
        parse("tea" + " site:a" * MAX_FILTERS, {"site": "a"}, KINDS)
    assert len(parse("tea" + " site:a" * MAX_FILTERS, {}, KINDS).filters) == 1


def test_of_too_many_filters_the_first_can_be_removed() -> None:
    assert len(typed_filters("x" + " site:a" * 2_000)) == MAX_FILTERS


def test_fields_and_text_have_to_hold_both() -> None:
    fields = {"kind": "audio", "site": "x.org", "after": "2024", "before": " "}
    query = parse("tea site:tea.x.org", fields, KINDS)
    assert query.text == "tea"
    assert query.filters == (
        Condition("kind", "$eq", "audio"),
        Condition("site", "$eq", "x.org"),
        Condition("added", "$gte", day(2024, 1, 1)),
        Condition("site", "$eq", "tea.x.org"),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind:video", "The kinds are: audio, web page"),
        ("kind:audio kind:page", "has one kind"),
        ("after:yesterday", "after:2025-03"),
        ("before:2024-13", "is not a date"),
        ("before:0000", "is not a date"),
        ("-before:2024", "without the minus"),
        ("site:?", "is not a site"),
        ("lang:Klingonisch", "lang:de or lang:German"),
        ("lang:de lang:fr", "has one language"),
        ("site:http://[", "is not a site"),
        ("site:1:2:3", "is not a site"),
        ("tea" + ' -milk "tea"' * 11, "20 exact phrases and excluded words"),
        (f'"{"茶" * (MAX_PHRASE_WORDS + 1)}"', "at most 100 words"),
        ("tea" + " site:a" * (MAX_FILTERS + 1), "at most 50 filters"),
        ("tea" + " -site:a site:b" * MAX_FILTERS, "at most 50 filters"),
    ],
)
def test_a_bad_filter_gets_a_message(text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        parse(text, {}, KINDS)


@given(st.text(), st.dictionaries(st.sampled_from(FIELDS), st.text()))
def test_any_text_is_a_query_or_a_known_error(text: str, fields: dict[str, Any]) -> None:
    with suppress(BadInput):
        query = parse(text, fields, KINDS)
        assert query.text == " ".join(query.text.split(" "))
        assert all(phrase in query.text for phrase in query.phrases)


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("bücher.de", "https://bücher.de/x"),
        ("bücher.de", "https://xn--bcher-kva.de/x"),
        ("xn--bcher-kva.de", "https://BÜCHER.de/x"),
        ("https://bücher.de/", "http://bücher.de.:8000/x"),
        ("bücher。de", "https://shop.bücher.de/x"),
        ("straße.de", "https://straße.de/"),
        ("faß.de", "https://xn--fa-hia.de/"),
        ("0x7f.1", "http://127.0.0.1:8000/"),
        ("[::1]", "http://[0:0::1]:8000/"),
        ("::1", "http://[::1]:80/"),
        ("2001:db8::a", "http://[2001:DB8:0::A]/"),
    ],
)
def test_a_filter_finds_every_spelling_of_a_host(typed: str, url: str) -> None:
    (condition,) = parse(f"site:{typed}", {}, KINDS).filters
    assert condition.value in sites_of(url)


@pytest.mark.parametrize(
    ("url", "sites"),
    [
        ("https://www.Example.co.uk/x", ["www.example.co.uk", "example.co.uk", "co.uk"]),
        ("http://localhost:8000/", ["localhost"]),
        ("http://127.0.0.1:8000/", ["127.0.0.1"]),
        ("http://[::1]/", ["::1"]),
    ],
)
def test_a_url_belongs_to_its_host_and_the_domains_above(url: str, sites: list[str]) -> None:
    assert sites_of(url) == sites
