"""The search with the real models: what words alone, and what meaning alone could not find."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import pytest

from tests.faults.things import predictions
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.site import Page, Site
from tools.harness.waiting import wait_for

TEXTS = {
    "sluice": "The sluice of the upper pond was lifted at dawn. Plate KX-4471-T on its gate says "
    "who cast the iron, and in which year the wheel behind it began to turn.",
    "sluice-2": "The sluice of the lower pond was lifted at dusk. Plate KX-4417-T on its gate says "
    "who cast the iron, and in which year the wheel behind it began to turn.",
    "sluice-3": "The sluice of the old pond was lifted at noon. Plate KX-1744-T on its gate says "
    "who cast the iron, and in which year the wheel behind it began to turn.",
    "bread": "A baker stirs flour and water in a jar and leaves it by the oven. After some days it "
    "bubbles and smells of apples, and from then on it lifts every loaf of the house.",
    "glacier": "Snow that outlasts the summer is pressed to ice by the snow above it. The ice "
    "creeps downhill, scrapes the rock under it and leaves a valley with a round floor.",
    "moraine": "Boulders and gravel lie in long ridges where the ice once ended. Each ridge marks "
    "a halt of the retreating glacier, and behind it there is often a lake.",
    "violin": "The maker taps a thin plate of spruce and listens. Where the note is dull she takes "
    "away a shaving, until the wood rings and can become the front of a violin.",
}
fresh = count()


@dataclass(frozen=True)
class Things:
    """The ids, by name, and the names, by id."""

    ids: dict[str, str]

    def names(self, results: list[dict[str, object]]) -> list[str]:
        names = {asset_id: name for name, asset_id in self.ids.items()}
        return [names[str(result["asset_id"])] for result in results]


@pytest.fixture(scope="module")
def things(person: Person, site: Site) -> Things:
    def page(text: str) -> Page:
        return Page(f"<html><body><article><p>{text}</p></article></body></html>".encode())

    ids = {name: person.submit(site.add(f"/{name}", page(text))) for name, text in TEXTS.items()}
    for name, asset_id in ids.items():
        asset = person.finished(asset_id)
        assert asset["status"] == "SEARCHABLE", (name, asset["error"])
    return Things(ids)


@pytest.mark.parametrize(
    ("code", "name"),
    [("KX-4471-T", "sluice"), ("KX-4417-T", "sluice-2"), ("plate kx-1744-t", "sluice-3")],
)
def test_words_tell_apart_what_means_the_same(
    person: Person, things: Things, code: str, name: str
) -> None:
    first = person.search(code)[0]
    assert things.names([first]) == [name]
    assert first["matched"] in ("words", "both")
    number = code[-6:-2]
    assert [number, True] in first["passages"][0]["parts"]


@pytest.mark.parametrize(
    ("paraphrase", "name"),
    [
        ("sourdough", "bread"),
        ("constructing stringed instruments", "violin"),
        ("frozen rivers carving mountains", "moraine"),
    ],
)
def test_meaning_finds_what_uses_other_words(
    person: Person, things: Things, paraphrase: str, name: str
) -> None:
    first = person.search(paraphrase)[0]
    assert things.names([first]) == [name]
    assert first["matched"] == "meaning"
    assert not [part for part, matches in first["passages"][0]["parts"] if matches]


def test_what_is_strange_to_all_things_is_close_to_none(person: Person, things: Things) -> None:
    assert things
    for query in ("quarterly tax returns of corporations", "xkcd zzyzx qwrt"):
        answer = person.http.get("/search", params={"query": query}).json()
        assert not answer["close"], answer["results"][0]
        assert {result["strength"] for result in answer["results"]} == {"none"}
    assert person.http.get("/search", params={"query": "glaciers"}).json()["close"]


def test_its_own_words_are_as_near_as_can_be(person: Person, things: Things) -> None:
    for name, text in TEXTS.items():
        first = person.search(text)[0]
        assert (things.names([first]), first["matched"]) == ([name], "both")
        # Documents are embedded in int8, queries in float32: their cosine is at least 0.99.
        assert first["similarity"] == pytest.approx(1.0, abs=0.01)


def test_syntax_and_meaning_together(person: Person, things: Things) -> None:
    assert set(things.names(person.search('lifting water gates "cast the iron"'))) == {
        "sluice",
        "sluice-2",
        "sluice-3",
    }
    found = things.names(person.search('lifting water gates "cast the iron" -dawn -noon'))
    assert found == ["sluice-2"]
    assert "glacier" not in things.names(person.search("frozen rivers -downhill"))
    assert person.search("frozen rivers kind:audio") == []


def test_like_a_thing_or_its_url(person: Person, things: Things, site: Site) -> None:
    like = {"like": things.ids["glacier"]}
    assert things.names(person.http.get("/search", params=like).json()["results"])[0] == "moraine"
    assert things.names(person.search(site.url("/moraine")))[0] == "glacier"
    like = {"like": f"{things.ids['sluice']}:0"}
    names = things.names(person.http.get("/search", params=like).json()["results"])
    assert set(names[:2]) == {"sluice-2", "sluice-3"}


def test_a_long_paragraph_finds_what_it_is_about(person: Person, things: Things) -> None:
    about = (
        "Grandfather never bought yeast. His own dough lived in a jar by the stove: on Saturdays "
        "it was fed with rye flour, and by Sunday there was a loaf for all the street. "
    )
    text = " ".join((about * 30).split()[:600])
    answer = person.http.post("/search", data={"query": text})
    assert answer.status_code == 200, answer.text
    assert things.names(answer.json()["results"])[0] == "bread"


def test_queries_come_to_ask_the_model_in_the_app(
    person: Person, cloud: Cloud, things: Things
) -> None:
    """Until it is loaded they ask Replicate."""
    assert things

    def asks_nobody() -> bool:
        before = sum(1 for _ in predictions(cloud))
        assert person.search(f"violins of the maker number {next(fresh)}")
        return sum(1 for _ in predictions(cloud)) == before

    wait_for(asks_nobody, "queries that stay in the app", pause=0.5)
    first = person.search("a maker of violins")[0]
    assert (things.names([first]), first["matched"]) == (["violin"], "both")
