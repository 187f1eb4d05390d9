"""What people type, from the request to the results."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import html

from allthethings.search.query_vectors import MAX_CHARACTERS, MAX_WORDS
from tests.allthethings.search.library import HTML, Library, Searcher, Thing
from tests.faults import strange
from tests.faults.things import tracebacks
from tools.harness.cloud import Cloud
from tools.harness.person import JSON

# Every thing of this module says it, so that only these are told apart.
HERE = "quillwort"


@pytest.fixture(scope="module")
def things(library: Library) -> dict[str, str]:
    """A name for each id."""

    def put(name: str, said: str, **about: Any) -> tuple[str, str]:
        return library.put(Thing([f"The {HERE} is {said}."], **about)), name

    def day(*numbers: int) -> datetime:
        return datetime(*numbers, tzinfo=UTC)  # type: ignore[misc, arg-type]

    return dict(
        [
            put(
                "spoken",
                "said aloud",
                host="bücher.test",
                content_type="audio/mpeg",
                added=day(2031, 3, 31),
            ),
            put("old", "bright red and small", language="de", added=day(2030, 12, 31, 23, 59, 59)),
            put("new", "small and bright", host="deep.down.test", added=day(2031, 4, 1)),
            put("late", "red, bright and gone", host="down.test", added=day(2032, 1, 1)),
            put("other", "never so red", host="notdown.test", added=day(2031, 3, 30)),
        ]
    )


EVERY = {"spoken", "old", "new", "late", "other"}
SYNTAX = [
    ("", {}, EVERY),
    ('"bright red"', {}, {"old"}),
    ('"red bright"', {}, {"late"}),
    ('"bright" "red"', {}, {"old", "late"}),
    ('"bright red" "said aloud"', {}, set()),
    ('"nowhere said"', {}, set()),
    ('"quillwort', {}, EVERY),
    ('""', {}, EVERY),
    ("-red", {}, {"spoken", "new"}),
    ('-"bright red"', {}, EVERY - {"old"}),
    ("-reds -gone -aloud", {}, {"new"}),
    ("-nowheresaid", {}, EVERY),
    ('"bright" -"bright red"', {}, {"new", "late"}),
    ("kind:audio", {"kind": "audio"}, {"spoken"}),
    ('kind:"web page"', {"kind": "web page"}, EVERY - {"spoken"}),
    ("-kind:audio", {}, EVERY - {"spoken"}),
    ("site:down.test", {"site": "down.test"}, {"new", "late"}),
    ("site:deep.down.test", {"site": "deep.down.test"}, {"new"}),
    ("site:https://DOWN.test/x", {"site": "http://down.test"}, {"new", "late"}),
    ("site:bücher.test", {"site": "https://BÜCHER.test/x"}, {"spoken"}),
    ("site:xn--bcher-kva.test", {"site": "xn--bcher-kva.test"}, {"spoken"}),
    ("lang:de", {"lang": "German"}, {"old"}),
    ("-lang:German", {}, EVERY - {"old"}),
    ("lang:fr", {"lang": "fra"}, set()),
    ("site:nowhere.test", {"site": "nowhere.test"}, set()),
    ("-site:deep.down.test site:down.test", {}, {"late"}),
    ("-site:down.test -site:notdown.test", {}, {"spoken", "old"}),
    ("after:2031", {"after": "2031"}, EVERY - {"old"}),
    ("after:2031-04", {"after": "2031-04"}, {"new", "late"}),
    ("after:2031-03-31", {"after": "2031-03-31"}, {"spoken", "new", "late"}),
    ("after:2031 before:2031-04", {"after": "2031", "before": "2031-04"}, {"spoken", "other"}),
    ("after:2031 before:2032", {"after": "2031", "before": "2032"}, {"spoken", "new", "other"}),
    ("before:2031 after:2032", {"before": "2031", "after": "2032"}, set()),
    ("kind:page site:down.test", {"kind": "page", "site": "down.test"}, {"new", "late"}),
]  # fmt: skip


@pytest.mark.parametrize(("syntax", "parameters", "names"), SYNTAX)
def test_syntax_and_parameters(
    search: Searcher,
    things: dict[str, str],
    syntax: str,
    parameters: dict[str, str],
    names: set[str],
) -> None:
    asked: list[tuple[str, dict[str, Any]]] = [(f"{HERE} {syntax}", {})]
    if parameters:
        asked += [(HERE, parameters), (f"{HERE} {syntax}", parameters)]
    for query, more in asked:
        found = search.all_ids(query, **more)
        assert {things[key] for key in found if key in things} == names
        close = [key for key in found[: len(names)] if key in things]
        assert len(close) == len(names), "before all others, which do not say it"


BAD = [
    ("kind:film", {"kind": "film"}, "The kinds are: audio, video, image, list, web page"),
    ("site:???", {"site": "???"}, "is not a site"),
    ("before:noon", {"before": "noon"}, "before:2025-03"),
    ("after:2025-02-30", {"after": "2025-02-30"}, "is not a date"),
    ("-after:2025", {"after": "25"}, ""),
    ("kind:audio kind:page", {"kind": "audio film"}, ""),
]


@pytest.mark.parametrize(("syntax", "parameters", "message"), BAD)
def test_a_bad_filter_is_refused_in_words(
    search: Searcher, syntax: str, parameters: dict[str, Any], message: str
) -> None:
    for query in ("x", "", f"x {syntax}", syntax):
        more = {} if syntax in query else parameters
        answer = search.answer(query, 400, **more)
        assert message in answer["error"]
        assert answer["results"] == []
        page = html.document_fromstring(search.page(query, 400, **more))
        [said] = page.xpath("//*[@role='alert']")
        assert said.text_content() == answer["error"]
        assert page.xpath("//input[@name='query']/@value") == [query]


@pytest.mark.parametrize("query", ["kind:audio", "site:example.org -red", "after:2024", "-red"])
def test_filters_without_words_are_asked_for_words(search: Searcher, query: str) -> None:
    assert "what to look for" in search.answer(query, 400)["error"]
    assert "what to look for" in search.page(query, 400)


def test_nothing_asked_is_nothing_found(search: Searcher) -> None:
    for kind in ("", "audio"):
        answer = search.answer("", kind=kind)
        assert (answer["results"], answer["more"]) == ([], False)
        assert "Ask in your own words" in search.page("", kind=kind)


def test_a_paragraph_finds_what_is_like_it(search: Searcher, library: Library) -> None:
    sentence = "The zyzzogeton drinks from the reeds at dusk and sleeps beneath old willow roots."
    thing = library.put(Thing([sentence]))
    words = [f"word{number % 500}" for number in range(MAX_WORDS - len(sentence.split()))]
    text = " ".join([*words[:1000], sentence, *words[1000:]])
    answer = search.http.post("/search", data={"query": text})
    assert answer.status_code == 200, answer.text
    assert answer.json()["results"][0]["asset_id"] == thing
    assert not answer.json()["words_alone"]
    page = search.http.post("/search", data={"query": text}, headers=HTML)
    assert html.document_fromstring(page.text).xpath("//*[@data-result]/@data-result")[0] == thing


def test_a_paragraph_may_say_anything(search: Searcher, things: dict[str, str]) -> None:
    text = f'"the {HERE}" -bright kind:film before:noon'
    answer = search.http.post("/search", data={"query": text}).json()
    # One word of six: vectors drawn at random may put other things between them.
    assert {things.get(result["asset_id"]) for result in answer["results"][:10]} >= EVERY


def test_a_filter_beside_a_paragraph_holds(search: Searcher, things: dict[str, str]) -> None:
    data = {"query": f"the {HERE}", "kind": "audio", "after": "2031"}
    answer = search.http.post("/search", data=data).json()
    assert [things[result["asset_id"]] for result in answer["results"]] == ["spoken"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a " * (MAX_WORDS + 1), f"at most {MAX_WORDS:,} words"),
        ("a" * (MAX_CHARACTERS + 1), f"at most {MAX_CHARACTERS:,} characters"),
    ],
)
def test_more_is_refused_in_words(search: Searcher, text: str, message: str) -> None:
    for headers in (JSON, HTML):
        answer = search.http.post("/search", data={"query": text}, headers=headers)
        assert answer.status_code == 400
        assert message in answer.text
    if len(text) < 5_000:
        assert message in search.answer(text, 400)["error"]


def test_another_site_cannot_send_the_form(search: Searcher) -> None:
    headers = {**HTML, "Sec-Fetch-Site": "cross-site"}
    assert search.http.post("/search", data={"query": "x"}, headers=headers).status_code == 403


TERMS = st.sampled_from(
    [HERE, "anchor", '"', "-", '-"', ":", "kind:", "site:", "site:a..b", "site:\u00df", "after:",
     "-site:[::1]", "before:9999-12", "http://x:99999/", "*", "\\", "\0", "$where", "\u2028", "AND"]
) | strange.words  # fmt: skip
TEXTS = st.lists(TERMS, max_size=6).map(" ".join) | st.text(max_size=60)


@settings(
    max_examples=150, deadline=None, derandomize=True, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(
    TEXTS,
    st.dictionaries(
        st.sampled_from(["kind", "site", "after", "before", "like", "page"]), TEXTS, max_size=2
    ),
)
@example("x", {"like": "0" * 24 + ":" + "9" * 30})
@example("x", {"like": "0" * 24 + ":" + "9" * 5_000})
@example('"the"', {})
@example('-"of the" x', {})
@example("-\u2060 \u2060", {})
def test_no_text_is_a_fault(
    cloud: Cloud, search: Searcher, text: str, parameters: dict[str, str]
) -> None:
    asked = {"query": text, **parameters}
    sent = {name: value.encode("utf-8", "surrogatepass") for name, value in asked.items()}
    answer = search.http.get("/search", params=sent)
    assert answer.status_code in (200, 400, 404, 414), answer.text
    assert not tracebacks(cloud)


@pytest.mark.parametrize("position", ["9" * 18, "9" * 19, "9" * 30, "9" * 5_000, "-1", "x", ""])
def test_no_position_is_a_fault(search: Searcher, things: dict[str, str], position: str) -> None:
    search.answer(like=f"{next(iter(things))}:{position}")
