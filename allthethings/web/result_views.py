"""How results look to the search page and to a client that asks for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from allthethings.assets.asset import Asset
from allthethings.assets.locators import Locator, Page
from allthethings.assets.members import is_member
from allthethings.assets.places import locate
from allthethings.assets.sentences import Span
from allthethings.processors import processor_class
from allthethings.search.results import Hit, Result
from allthethings.search.sentences import Reading, asked
from allthethings.search.syntax import Query
from allthethings.web.view_models import page_at, shown

# Characters of a passage that are shown at once, if no sentence is longer.
EXCERPT = 360
# What a result has for the template and not for JSON, as the thing's view has it.
ONLY_ON_THE_PAGE = (
    *("archive_name", "dated", "language_name", "mark", "member"),
    *("picture_size", "play_from", "player", "source"),
)
# What a result tells of its thing by the names of the thing's view.
SHOWN = (
    *("url", "content_type", "kind", "picture", "host"),
    *("content_length", "language", "served_badly"),
    *ONLY_ON_THE_PAGE,
)
# What a passage has for the template and not for JSON.
ONLY_OF_PASSAGES = ("id", "reading", "excerpt", "whole", "opens", "page")
# Types of things in which browsers find the words of a text fragment.
READABLE = ("text/", "application/xhtml+xml")


@dataclass(frozen=True)
class Stretch:
    """A part of a passage as it is shown: its text in `parts`, each with whether it is a word of
    the query; whether it `answers`."""

    parts: Sequence[tuple[str, bool]]
    answers: bool = False


@dataclass(frozen=True)
class Excerpt:
    """Some sentences of a passage. `begins` tells whether the first one is there from its start,
    and nothing of the passage is left out before it; `ends` whether nothing is behind the last;
    `whole` whether this is all of the passage."""

    stretches: Sequence[Stretch]
    begins: bool
    ends: bool
    whole: bool


def result_view(result: Result, query: Query) -> dict[str, Any]:
    """A result as the template wants it."""
    return {
        **thing_view(result.asset),
        "score": result.score,
        "similarity": result.similarity,
        "matched": result.matched,
        "strength": result.strength,
        "passages": [
            passage_view(result.asset, hit, reading_of(result.asset, hit, query))
            for hit in result.passages
        ],
    }


def thing_view(asset: Asset) -> dict[str, Any]:
    """What a result tells of its thing."""
    seen: Mapping[str, Any] = shown(asset)
    same = {name: seen[name] for name in SHOWN}
    added = asset.created_at.isoformat()
    return {"asset_id": seen["id"], "title": seen["name"], "added": added, **same}


def reading_of(asset: Asset, hit: Hit, query: Query) -> Reading:
    """A passage as the query reads it."""
    wanted = asked(query.text, query.phrases, asset.language)
    return Reading(hit.text, wanted, hit.words, hit.places)


def passage_view(
    asset: Asset, hit: Hit, reading: Reading, by_meaning: int | None = None
) -> dict[str, Any]:
    """A passage as the template wants it. `by_meaning` is the number of the sentence that answers,
    if its meaning was looked at; else words alone decide. `excerpt` and `whole` are functions: JSON
    has no use for what they make."""
    best = reading.best if by_meaning is None else by_meaning
    span = reading.sentences[best or 0] if reading.sentences else Span(0, len(hit.text))
    place = locate(span, len(hit.text), hit.places, hit.locator)
    text = span.of(hit.text)
    readable = asset.content_type.startswith(READABLE)
    link = link_to(asset, place, text if readable else "")
    return {
        "id": f"{hit.asset_id}:{hit.position}",
        "position": hit.position,
        "text": hit.text,
        "sentence": {
            "text": text,
            "start": span.start,
            "end": span.end,
            "locator": place,
            "by": "meaning" if by_meaning is not None else None if best is None else "words",
        },
        "reading": reading,
        "excerpt": partial(_excerpt, reading, best, cut=_is_cut(hit)),
        "whole": partial(stretches, reading, best, reading.whole),
        "score": hit.score,
        "similarity": hit.similarity,
        "locator": hit.locator,
        "link": link,
        "opens": _opens(link, place, asset),
        "page": page_at(asset.id, hit.position),
    }


def link_to(asset: Asset, place: Locator, text: str) -> str:
    """The address of a passage with this text: of subtitles in their video, if that is told. A
    member of an archive has none but the archive's: what leads to a place would be lost behind its
    own fragment."""
    if asset.video_url and place.timed:
        return place.link(asset.video_url, text)
    return asset.url if is_member(asset.url) else place.link(asset.url, text)


def _opens(link: str, place: Locator, asset: Asset) -> str:
    """What the button of a passage opens, in words; for a member of an archive, its page here."""
    if is_member(asset.url):
        return "Open at this passage"
    if ":~:text=" in link:
        return "Open at this sentence"
    if isinstance(place, Page) and link != asset.url:
        return f"Open {place.label}"
    return f"Open the {processor_class(asset.content_type).noun}"


def plain_result(view: Mapping[str, Any]) -> dict[str, Any]:
    """A result as JSON."""
    told = {name: value for name, value in view.items() if name not in ONLY_ON_THE_PAGE}
    return {**told, "passages": [plain_passage(each) for each in view["passages"]]}


def plain_passage(view: Mapping[str, Any]) -> dict[str, Any]:
    """A passage as JSON."""
    told = {name: value for name, value in view.items() if name not in ONLY_OF_PASSAGES}
    sentence = {**view["sentence"], "locator": view["sentence"]["locator"].stored()}
    parts = view["reading"].parts()
    return {**told, "parts": parts, "locator": view["locator"].stored(), "sentence": sentence}


def _is_cut(hit: Hit) -> bool:
    """Whether a passage begins within a sentence, as one does at the top of a printed page."""
    return hit.position > 0 and hit.text[:1].islower()


def _excerpt(reading: Reading, best: int | None, *, cut: bool) -> Excerpt:
    """The sentence that answers, or the first one, and as many around it as there is room for. The
    rest of a sentence that was cut is shown only where it answers itself."""
    sentences = reading.sentences
    if not sentences or len(reading.text) <= EXCERPT:
        whole = stretches(reading, best, reading.whole)
        return Excerpt(whole, begins=not cut, ends=True, whole=True)
    first = last = best or 0
    least = 1 if cut and first else 0
    for wider in _wider(first, least, len(sentences)):
        if sentences[wider.end - 1].end - sentences[wider.start].start > EXCERPT:
            break
        first, last = wider.start, wider.end - 1
    within = Span(sentences[first].start, sentences[last].end)
    ends = last == len(sentences) - 1
    return Excerpt(
        stretches(reading, best, within), first == 0 and not cut, ends, whole=first == 0 and ends
    )


def stretches(reading: Reading, best: int | None, within: Span) -> list[Stretch]:
    """The text between two places, with what is there of the sentence that answers apart."""
    if best is None:
        return [Stretch(reading.parts(within))]
    answer = reading.sentences[best]
    begin, end = (min(max(at, within.start), within.end) for at in (answer.start, answer.end))
    apart = [
        Stretch(reading.parts(Span(within.start, begin))),
        Stretch(reading.parts(Span(begin, end)), answers=True),
        Stretch(reading.parts(Span(end, within.end))),
    ]
    return [stretch for stretch in apart if stretch.parts]


def _wider(number: int, least: int, end: int) -> Iterator[Span]:
    """Ever more of the sentences `least` to `end` around one of them, before it and behind it by
    turns."""
    around = Span(number, number + 1)
    while around.end - around.start < end - least:
        behind = number - around.start > around.end - 1 - number or around.start == least
        if behind and around.end < end:
            around = Span(around.start, around.end + 1)
        else:
            around = Span(around.start - 1, around.end)
        yield around
