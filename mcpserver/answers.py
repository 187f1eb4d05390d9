"""What the tools answer: the API's JSON, with places in words and without what only pages need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field


class Passage(BaseModel):
    """A passage of a thing."""

    position: int = Field(description="its number in the thing, from 0; `read` takes it")
    place: str = Field(description="where it is: a time, a page, a heading; empty if unknown")
    link: str = Field(description="leads to that place in the original")
    text: str


class FoundPassage(Passage):
    """A passage that matches a search. Place and link are those of the sentence."""

    sentence: str = Field(description="the sentence that answers best")


class Found(BaseModel):
    """A thing that a search found."""

    thing: str = Field(description="its id, for `read` and `state`")
    title: str
    url: str
    kind: str
    matched: str = Field(description="meaning, words, both, or nothing: merely the nearest")
    strength: str = Field(description="strong, weak or none")
    passages: list[FoundPassage]


class SearchAnswer(BaseModel):
    """One page of results, best first."""

    results: list[Found]
    more: bool = Field(description="whether there is a next page")
    note: str = Field(description="what to know about the results; empty if there is nothing")


class ReadAnswer(BaseModel):
    """Passages of one thing, in their order."""

    thing: str
    title: str
    url: str
    passages_in_all: int
    passages: list[Passage]


class State(BaseModel):
    """How far a thing is. It can be searched and read when `searchable` is true."""

    thing: str
    title: str
    url: str
    status: str
    searchable: bool
    failed: bool
    doing: str = Field(description="what happens now")
    trouble: str = Field(description="what failed, or what it waits for")
    advice: str = Field(description="what to do about the trouble")


class Submitted(BaseModel):
    """A thing that is indexed, or was there already."""

    thing: str = Field(description="its id, for `state` and `read`")
    url: str
    status: str
    message: str


def passage_of(told: Mapping[str, Any]) -> Passage:
    return Passage(
        position=told["position"],
        place=place_in_words(told["locator"]),
        link=told["link"],
        text=told["text"],
    )


def found_passage(told: Mapping[str, Any]) -> FoundPassage:
    sentence = told["sentence"]
    return FoundPassage(
        position=told["position"],
        place=place_in_words(sentence["locator"]),
        link=told["link"],
        text=told["text"],
        sentence=sentence["text"],
    )


def found(told: Mapping[str, Any], passages: list[FoundPassage]) -> Found:
    names = ("title", "url", "kind", "matched", "strength")
    same = {name: told[name] for name in names}
    return Found(thing=told["asset_id"], passages=passages, **same)


def state_of(asset: Mapping[str, Any]) -> State:
    now = asset["now"]
    return State(
        thing=asset["id"],
        title=asset["title"] or asset["url"],
        url=asset["url"],
        status=asset["status"],
        searchable=asset["status"] == "SEARCHABLE",
        failed=asset["status"].endswith("_ERROR"),
        doing=now["doing"],
        trouble=now["trouble"],
        advice=now["advice"],
    )


def place_in_words(locator: Mapping[str, Any]) -> str:
    """A place as the API tells it, such as `{"start": 61.5, "end": 70}`: 1:01 to 1:10."""
    match locator:
        case {"start": start, "end": end}:
            return f"{_clock(start)} to {_clock(end)}"
        case {"page": number}:
            return f"page {number}"
        case {"slide": first, "to": last}:
            return f"slides {first} to {last}"
        case {"slide": number}:
            return f"slide {number}"
        case {"sheet": name}:
            return f"sheet {name}"
        case {"rows": [first, last]}:
            return f"rows {first} to {last}"
        case {"lines": [first, last]}:
            return f"lines {first} to {last}"
        case {"heading": text}:
            return f"under the heading {text}"
    return ""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
