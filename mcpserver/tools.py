"""What a model can do. The docstrings and the descriptions of the arguments are its manual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from mcpserver.answers import (
    FoundPassage,
    ReadAnswer,
    SearchAnswer,
    State,
    Submitted,
    found,
    found_passage,
    passage_of,
    state_of,
)
from mcpserver.api import Api

# Passages that the API tells of in one answer.
MOST = 20
# Passages on either side of the one that is read.
AROUND = 2

Thing = Annotated[str, Field(pattern="^[0-9a-f]{24}$", description="the id of a thing")]
Query = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2_000,
        description='a question or words; "..." for an exact phrase, -word to exclude one',
    ),
]
Kind = Annotated[
    str, Field(description="only this kind, such as audio, video, image, web page, pdf, text")
]
Site = Annotated[str, Field(description="only things of this host, such as example.org")]
Day = Annotated[str, Field(description="a day, such as 2026-01-31, of when things were added")]
PageNumber = Annotated[int, Field(ge=1, le=100, description="the page of results, from 1")]
Position = Annotated[int, Field(ge=0, lt=10**9, description="the number of a passage, from 0")]
Around = Annotated[
    int, Field(ge=0, le=(MOST - 1) // 2, description="how many passages before and after it")
]
Url = Annotated[str, Field(description="an http or https address of a thing, not of a login page")]


class Tools:
    """The tools over one app."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def search(
        self,
        query: Query,
        kind: Kind = "",
        site: Site = "",
        after: Day = "",
        before: Day = "",
        page: PageNumber = 1,
    ) -> SearchAnswer:
        """Search everything that is indexed, by meaning and by words. Each result has the sentence
        that answers, its place, and a link that leads there."""
        filters = {"kind": kind, "site": site, "after": after, "before": before}
        given = {name: value for name, value in filters.items() if value}
        told = await self._api.get("/search", query=query, page=page, **given)
        passages = await self._answering(query, told["results"])
        return SearchAnswer(
            results=[
                found(result, [passages[_key(result, each)] for each in result["passages"]])
                for result in told["results"]
            ],
            more=told["more"],
            note=_note(told),
        )

    async def read(
        self, thing: Thing, position: Position = 0, around: Around = AROUND
    ) -> ReadAnswer:
        """Read the text of a thing: the passage at a position and those around it. To read on, ask
        for a later position."""
        told = (await self._api.get(f"/assets/{thing}/state"))["asset"]
        state, total = state_of(told), told["progress"]["total"]
        if not state.searchable:
            why = state.trouble or state.doing or f"its status is {state.status}"
            raise ToolError(f"It cannot be read: {why}")
        if position >= total:
            raise ToolError(f"It has {total} passages, so the last position is {total - 1}.")
        wanted = range(max(0, position - around), min(total, position + around + 1))
        passages = await self._passages("", [f"{thing}:{number}" for number in wanted])
        return ReadAnswer(
            thing=thing,
            title=state.title,
            url=state.url,
            passages_in_all=total,
            passages=[passage_of(each) for each in passages],
        )

    async def submit(self, url: Url) -> Submitted:
        """Index the thing at a URL. It is searchable after seconds or minutes: ask `state`. A URL
        that is indexed already is not indexed twice."""
        told = await self._api.post("/process", url=url)
        asset = told["asset"]
        return Submitted(
            thing=asset["id"], url=asset["url"], status=asset["status"], message=told["message"]
        )

    async def state(self, thing: Thing) -> State:
        """Tell how far a thing is: whether it is searchable, what happens, what went wrong."""
        return state_of((await self._api.get(f"/assets/{thing}/state"))["asset"])

    async def _answering(
        self, query: str, results: Sequence[Mapping[str, Any]]
    ) -> dict[str, FoundPassage]:
        """The passages of the results by their keys. The sentences of the first ones are chosen
        by meaning too, where the app does that; `/search` goes by words alone."""
        told = {_key(result, each): each for result in results for each in result["passages"]}
        if told:
            chosen = await self._passages(query, [*told][:MOST])
            told |= {_key(each, each): each for each in chosen}
        return {key: found_passage(each) for key, each in told.items()}

    async def _passages(self, query: str, keys: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """The passages with these keys that exist, in that order."""
        told = await self._api.get("/search/sentences", query=query, passages=",".join(keys))
        return list(told["passages"])


def _key(thing: Mapping[str, Any], passage: Mapping[str, Any]) -> str:
    return f"{thing['asset_id']}:{passage['position']}"


def _note(told: Mapping[str, Any]) -> str:
    """What an answer to a search says beside its results."""
    notes = []
    if told["results"] and not told["close"]:
        notes.append("Nothing matches: these are the nearest passages.")
    if told["did_you_mean"]:
        notes.append(f"Did you mean: {told['did_you_mean']}")
    if told["words_alone"]:
        notes.append("The search by meaning is away: these were found by words alone.")
    if told["meaning_alone"]:
        notes.append("The search by words is away: these were found by meaning alone.")
    if told["under_way"]:
        notes.append(f"Things that are not searchable yet: {told['under_way']}.")
    return " ".join(notes)
