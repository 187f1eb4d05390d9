"""{$meta: "searchHighlights"}, and the words of many scripts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo.collection import Collection

from localcloud.atlas.text.analyzers import ANALYZERS, Analyzed, terms
from localcloud.atlas.text.highlights import Wanted, highlights
from tests.localcloud.atlas.server import Atlas, create_text_index

Documents = Collection[dict[str, Any]]
HIGHLIGHTS = {"$meta": "searchHighlights"}
STORY = (
    "The dogs ran out. Nobody saw a dog\u2019s shadow in the garden! The weather e.g. the rain was"
    " no matter. Later, the running dog slept.\nA cat looked on. Z\u00fcrich is far away."
)
FIELDS: dict[str, Any] = {
    "text": {"type": "string", "analyzer": "lucene.english"},
    "plain": {"type": "string"},
    "list": {"type": "string"},
    "key": {"type": "string", "analyzer": "lucene.keyword"},
    "a": {"type": "document", "fields": {"b": {"type": "string"}}},
    "kind": {"type": "token"},
}


@pytest.fixture(scope="module")
def stories(atlas: Atlas) -> Documents:
    collection = atlas.client.test.create_collection("stories")
    create_text_index(collection, FIELDS)
    collection.insert_one(
        {
            "_id": 1,
            "text": STORY,
            "plain": "dogs dog",
            "list": ["a dog. and a cat", "no", "a cat"],
            "key": "Two words. One key",
            "a": [{"b": "deep dog"}, {"b": "deeper dog"}],
            "kind": "story",
        }
    )
    return collection


def run(
    stories: Documents, operator: dict[str, Any], path: Any = "text", **options: Any
) -> list[dict[str, Any]]:
    """The highlights of the one story, hits in square brackets."""
    stage = {"$search": {**operator, "highlight": {"path": path, **options}}}
    (hit,) = stories.aggregate([stage, {"$limit": 1}, {"$project": {"h": HIGHLIGHTS}}])
    return list(hit["h"])


def shown(passages: list[dict[str, Any]]) -> list[str]:
    marks = {"hit": "[{}]", "text": "{}"}
    return [
        "".join(marks[piece["type"]].format(piece["value"]) for piece in passage["texts"])
        for passage in passages
    ]


def text(query: Any, path: Any = "text", **options: Any) -> dict[str, Any]:
    return {"text": {"query": query, "path": path, **options}}


def test_passages_are_sentences(stories: Documents) -> None:
    found = run(stories, text("dog"))
    assert shown(found) == [
        "The [dogs] ran out. ",
        "Nobody saw a [dog\u2019s] shadow in the garden! ",
        "Later, the running [dog] slept.\n",
    ]
    assert all(set(passage) == {"path", "score", "texts"} for passage in found)
    assert {passage["path"] for passage in found} == {"text"}
    assert all(passage["score"] > 0 for passage in found)
    for passage in found:
        assert "".join(piece["value"] for piece in passage["texts"]) in STORY


def test_the_best_passages(stories: Documents) -> None:
    chosen = run(stories, text("dog running"), maxNumPassages=1)
    assert shown(chosen) == ["Later, the [running] [dog] slept.\n"]
    every = run(stories, text("dog running"))
    assert chosen[0]["score"] == max(passage["score"] for passage in every)
    assert shown(run(stories, text("dog"), maxCharsToExamine=30)) == ["The [dogs] ran out. "]


def test_phrases(stories: Documents) -> None:
    phrase = {"phrase": {"query": "running dogs", "path": "text"}}
    assert shown(run(stories, phrase)) == ["Later, the [running] [dog] slept.\n"]
    loose = {"phrase": {"query": "dogs shadow garden", "path": "text", "slop": 3}}
    assert shown(run(stories, loose)) == ["Nobody saw a [dog\u2019s] [shadow] in the [garden]! "]


def test_other_operators(stories: Documents) -> None:
    must_not = {
        "compound": {
            "should": [text("cat")],
            "mustNot": [text("elephant")],
            "filter": [text("rain")],
        }
    }
    assert shown(run(stories, must_not)) == [
        "The weather e.g. the [rain] was no matter. ",
        "A [cat] looked on. ",
    ]
    assert run(stories, {"equals": {"path": "kind", "value": "story"}}) == []


def test_several_paths(stories: Documents) -> None:
    found = run(stories, text("dog", ["text", "a.b", "list", "plain"]), ["plain", "list", "a.b"])
    assert [(passage["path"], one) for passage, one in zip(found, shown(found), strict=True)] == [
        ("a.b", "deep [dog]"),
        ("a.b", "deeper [dog]"),
        ("list", "a [dog]. and a cat"),
        ("plain", "dogs [dog]"),
    ]
    wild = run(stories, text("dog", {"wildcard": "*"}), {"wildcard": "p*"})
    assert shown(wild) == ["dogs [dog]"]
    assert shown(run(stories, text("Two words. One key", "key"), "key")) == ["[Two words. One key]"]


def test_after_other_stages(stories: Documents) -> None:
    """By the server, which is given them."""
    stage = {"$search": {**text("cat"), "highlight": {"path": "text"}}}
    later: list[dict[str, Any]] = [
        {"$match": {"kind": "story"}},
        {"$project": {"h": HIGHLIGHTS, "n": {"$strLenCP": "$text"}}},
    ]
    (hit,) = stories.aggregate([stage, *later])
    assert (shown(hit["h"]), hit["n"]) == (["A [cat] looked on. "], len(STORY))


@given(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=60),
    st.sampled_from(sorted(ANALYZERS)),
)
def test_one_way_to_cut_words(text: str, name: str) -> None:
    """Python's engine and tantivy's find the same terms, in the same places."""
    analyzed = Analyzed(name, text)
    found = [(n, term) for n, term in enumerate(analyzed.terms) if term is not None]
    assert found == terms(name, text)
    spans = [analyzed.span(n) for n, _ in found]
    assert all(0 <= start < end <= len(text) for start, end in spans)
    for (_, term), (start, end) in zip(found, spans, strict=True):
        again = [one for _, one in terms(name, text[start:end])]
        assert again == [term]


@given(st.text("aB9.'\u2019:,;_\u00e9\u00b7 -\n", max_size=30))
def test_punctuation_between_words(text: str) -> None:
    analyzed = Analyzed("lucene.standard", text)
    assert list(enumerate(analyzed.terms)) == terms("lucene.standard", text)


PIECES = st.lists(st.sampled_from(["dog ", "cat", "Dogs", ". ", "!\n", " x ", "\u3002", "\u4eac"]))


@given(PIECES.map("".join), st.integers(1, 6))
def test_passages_are_parts_of_the_text(text: str, most: int) -> None:
    wanted = Wanted([("t", "lucene.english")], {"dog", "\u4eac"}, [], 1000, most)
    found = highlights({"t": text}, wanted)
    assert len(found) <= most
    reached = 0
    for passage in found:
        whole = "".join(piece["value"] for piece in passage["texts"])
        reached = text.index(whole, reached) + len(whole)
        hits = [piece["value"] for piece in passage["texts"] if piece["type"] == "hit"]
        assert hits
        assert {term for hit in hits for _, term in terms("lucene.english", hit)} <= {
            "dog",
            "\u4eac",
        }


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("lucene.standard", "Can't 3.14 foo_bar x-y U.S.A.", "can't 3.14 foo_bar x y u.s.a"),
        (
            "lucene.standard",
            "\u6771\u4eac \u30ab\u30bf\u30ab\u30ca",
            "\u6771 \u4eac \u30ab\u30bf\u30ab\u30ca",
        ),
        (
            "lucene.standard",
            "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
            "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
        ),
        ("lucene.standard", "re\u0301sume\u0301", "re\u0301sume\u0301"),
        ("lucene.english", "It\u2019s the Dogs' generously running", "dog generous run"),
        ("lucene.simple", "It's 3 O\u2019Clock", "it s o clock"),
        ("lucene.whitespace", "It's (so) Big", "It's (so) Big"),
        ("lucene.keyword", "It's (so) Big", "It's (so) Big"),
    ],
)
def test_analyzers(name: str, text: str, expected: str) -> None:
    found = [term for _, term in terms(name, text)]
    assert found == ([expected] if name == "lucene.keyword" else expected.split())
