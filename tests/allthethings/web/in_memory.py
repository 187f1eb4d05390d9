"""The pages over things that stand in memory: the real views, templates and headers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from flask import Flask
from lxml import html

import app as application
from allthethings.assets.asset import Asset, AssetStatus
from allthethings.assets.imports import Fate, Import, ImportState, Line
from allthethings.assets.locators import WHOLE, Heading, Locator, TimeSpan
from allthethings.assets.looks import Schedule
from allthethings.assets.urls import clean_url
from allthethings.errors import ServiceUnavailable, UnusableThing
from allthethings.pipeline.checks import Checks
from allthethings.pipeline.imports import Imports
from allthethings.pipeline.progress import Watch
from allthethings.pipeline.submission import Links, Preview
from allthethings.pipeline.turns import Turns
from allthethings.processors import kind_of
from allthethings.replicate.predictions import Prediction
from allthethings.search.results import Away, Facets, Found, Hit, Result
from allthethings.search.syntax import Query
from allthethings.store.asset_list import AssetFilter, AssetPage, PageRequest
from allthethings.store.changes import Change
from allthethings.store.insertions import AlreadyIndexed
from allthethings.store.revisions import Revision
from allthethings.web.examples import Example
from allthethings.web.services import Services
from config import MongoSettings, Settings

BEGAN = datetime(2025, 3, 1, 12, 30, tzinfo=UTC)
EXAMPLE = Example("Bees & <b>flowers</b>", "audio", "A dance", "http://x.test/bees.mp3", "insects")
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}"
"""What a stranger may write wherever he can."""


def make_asset(number: int, status: AssetStatus, **changed: Any) -> Asset:
    """A recording, unless told otherwise, whose id is `number`."""
    at = BEGAN + timedelta(minutes=number)
    history = (
        {"status": AssetStatus.SUBMITTED.value, "at": at},
        {"status": status.value, "at": at + timedelta(seconds=2.5)},
    )
    fields: dict[str, Any] = {
        "url": f"https://radio.test/{number}.mp3",
        "content_type": "audio/mpeg",
        "content_length": 4_200_000,
        "history": history,
        **changed,
    }
    return Asset(id=f"{number:024x}", status=status, created_at=at, updated_at=at, **fields)


def make_hit(text: str, similarity: float, locator: Locator = WHOLE) -> Hit:
    """A passage found by its meaning."""
    return Hit(f"{1:024x}", 0, text, locator, similarity, similarity)


@dataclass
class Told:
    """In the place of Replicate: what it tells of predictions, and how often it was asked."""

    predictions: Mapping[str, Prediction] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def get(self, prediction_id: str) -> Prediction | None:
        self.asked.append(prediction_id)
        return self.predictions.get(prediction_id)


@dataclass
class EndedSessions:
    """In the place of the collection of ended sessions."""

    ended: set[str] = field(default_factory=set)
    is_away: bool = False

    def end(self, session_id: str) -> None:
        self._answer()
        self.ended.add(session_id)

    def has_ended(self, session_id: str) -> bool:
        self._answer()
        return session_id in self.ended

    def _answer(self) -> None:
        if self.is_away:
            raise ServiceUnavailable("MongoDB", "no answer from the server")


@dataclass
class KeptImports:
    """In the place of the collections of imports and their lines."""

    imports: dict[str, Import] = field(default_factory=dict)
    lines: dict[str, Sequence[Line]] = field(default_factory=dict)

    def add(self, lines: Mapping[str, int], notes: Sequence[str]) -> Import:
        key = f"{len(self.imports) + 1:024x}"
        made = Import(key, ImportState.RUNNING, len(lines), BEGAN, tuple(notes))
        self.imports[key] = made
        self.lines[key] = [
            Line(key, number, url, times=times)
            for number, (url, times) in enumerate(lines.items(), 1)
        ]
        return made

    def move(self, import_id: str, come_from: Iterable[ImportState], to: ImportState) -> bool:
        found = self.imports[import_id]
        if found.state not in come_from:
            return False
        self.imports[import_id] = replace(found, state=to)
        return True

    def get(self, import_id: str) -> Import | None:
        return self.imports.get(import_id)

    def newest(self, limit: int, _before: str | None = None) -> Sequence[Import]:
        return list(self.imports.values())[::-1][:limit]

    def counts(self, import_id: str) -> dict[Fate, int]:
        fates = [line.fate for line in self.lines[import_id]]
        return {fate: fates.count(fate) for fate in Fate}

    def counts_of(self, import_ids: Sequence[str]) -> dict[str, dict[Fate, int]]:
        return {each: self.counts(each) for each in import_ids}

    def page(
        self,
        import_id: str,
        size: int,
        *,
        fate: Fate | None = None,
        after: int = 0,
        before: int | None = None,
    ) -> Sequence[Line]:
        found = [
            line
            for line in self.lines[import_id]
            if fate in (None, line.fate)
            if after < line.number < (before or len(self.lines[import_id]) + 1)
        ]
        return found[-size:] if before else found[:size]


@dataclass
class KeptLooks:
    """In the place of what looks again at things, of the revisions and of the changes."""

    default: Schedule = Schedule.NEVER
    being_made: Revision | None = None
    kept: Sequence[Change] = ()

    def of_thing(self, _asset_id: str) -> Revision | None:
        return self.being_made

    def of(self, _asset_id: str, _revision: int | None) -> Sequence[Change]:
        return self.kept


class Scans:
    """In the place of the store of scanned pages: one of each three has been read."""

    def progress(self, _asset_id: str, _reading: str) -> tuple[int, int]:
        return 1, 3


@dataclass
class KeptLists:
    """In the place of what is kept of lists: `of_list` are the things of the only one."""

    of_list: Sequence[Asset] = ()
    asking: Sequence[str] = ()

    def count(self, _list_id: str, statuses: Iterable[AssetStatus]) -> int:
        return sum(thing.status in statuses for thing in self.of_list)

    def things(self, _list_id: str, statuses: Iterable[AssetStatus], limit: int) -> Sequence[Asset]:
        return [thing for thing in self.of_list if thing.status in statuses][:limit]

    def asking_in(self, _root_id: str) -> Sequence[str]:
        return self.asking

    def leave_out(self, _list_id: str, after: int) -> None:
        assert after >= 0

    def look_now(self, _list_id: str) -> None:
        """The next look is due."""


@dataclass
class Memory:
    """In the place of the pipeline, the search and both stores."""

    things: Sequence[Asset] = ()
    passages_of: Sequence[dict[str, Any]] = ()
    hits: Sequence[Hit] = ()
    examples: Sequence[Example] = ()
    more: bool = False
    away: Away | None = None
    facets: Facets = field(default_factory=Facets)
    corrections: Mapping[str, str] = field(default_factory=dict)
    replicate: Told = field(default_factory=Told)
    ended_sessions: EndedSessions = field(default_factory=EndedSessions)
    imports: KeptImports = field(default_factory=KeptImports)
    lists: KeptLists = field(default_factory=KeptLists)
    looks: KeptLooks = field(default_factory=KeptLooks)
    in_index: bool = True
    submitted: list[str] = field(default_factory=list)
    links: list[Links] = field(default_factory=list)
    videos: list[str] = field(default_factory=list)
    refusals: Mapping[str, str] = field(default_factory=dict)
    asked: list[Query] = field(default_factory=list)

    @property
    def assets(self) -> Memory:
        return self

    @property
    def passages(self) -> Memory:
        return self

    def holds(self, _asset_id: str) -> bool:
        return self.in_index

    @property
    def scans(self) -> Scans:
        return Scans()

    @property
    def passage_index(self) -> Memory:
        return self

    @property
    def submission(self) -> Memory:
        return self

    @property
    def revisions(self) -> KeptLooks:
        return self.looks

    @property
    def changes(self) -> KeptLooks:
        return self.looks

    @property
    def lifecycle(self) -> Memory:
        return self

    def page(self, wanted: PageRequest) -> AssetPage:
        some = self._listed(wanted.filter)
        first = (wanted.number - 1) * wanted.size
        last = first + wanted.size
        return AssetPage(some[first:last], first + 1, first > 0, last < len(some))

    def _listed(self, wanted: AssetFilter) -> Sequence[Asset]:
        return [
            thing
            for thing in self.things
            if not wanted.statuses or thing.status in wanted.statuses
            if wanted.kind in (None, kind_of(thing.content_type))
        ]

    def many(self, ids: Iterable[str]) -> dict[str, Asset]:
        return {thing.id: thing for thing in self.things if thing.id in set(ids)}

    def count(self, wanted: AssetFilter) -> int:
        return len(self._listed(wanted))

    def get(self, asset_id: str) -> Asset | None:
        return next((thing for thing in self.things if thing.id == asset_id), None)

    def state(self, asset_id: str) -> Asset | None:
        return self.get(asset_id)

    def picture(self, asset_id: str) -> bytes | None:
        thing = self.get(asset_id)
        return b"RIFF of the tests" if thing and thing.picture_size else None

    def ahead(self, asset: Asset) -> int:
        same = [thing for thing in self.things if thing.status is asset.status]
        return sum(thing.updated_at < asset.updated_at for thing in same)

    def progress(self, _asset_id: str, _revision: int | None = None) -> tuple[int, int]:
        rows = self.passages_of
        return sum(row["embedded"] for row in rows), len(rows)

    def of(self, _asset_id: str, _revision: int | None = None) -> Sequence[dict[str, Any]]:
        return self.passages_of

    def some(self, keys: Iterable[tuple[str, int | None, int]]) -> Sequence[dict[str, Any]]:
        wanted = {(asset_id, position) for asset_id, _, position in keys}
        return [row for row in self.passages_of if (row["asset_id"], row["position"]) in wanted]

    def newest_searchable(self, limit: int) -> Sequence[Asset]:
        done = [thing for thing in self.things if thing.status is AssetStatus.SEARCHABLE]
        return sorted(done, key=lambda thing: thing.updated_at, reverse=True)[:limit]

    def openings(self, revisions: Mapping[str, int | None]) -> dict[str, str]:
        return {asset_id: str(row["text"]) for asset_id in revisions for row in self.passages_of}

    def search(self, query: Query, page: int = 1) -> Found:
        assert page
        self.asked.append(query)
        results = [Result(thing, self.hits) for thing in self.things if self.hits]
        return Found(
            results,
            self.more,
            away=self.away,
            facets=self.facets,
            corrections=self.corrections,
        )

    def find_url(self, url: str) -> Asset | None:
        return next((thing for thing in self.things if thing.url == url), None)

    def submit(self, url: str, links: Links = Links.NONE, video: str = "") -> Asset:
        self.links.append(links)
        self.videos.append(video)
        self.submitted.append(clean_url(url))
        return self._judged(url)

    def check(self, url: str) -> Preview:
        return Preview(clean_url(url), "web page", 1_200, self._judged(url).title)

    def _judged(self, url: str) -> Asset:
        """Known when there is a thing of that URL, refused when `refusals` says why."""
        if url in self.refusals:
            raise UnusableThing(self.refusals[url])
        if known := self.find_url(url):
            raise AlreadyIndexed(known)
        return self.things[0]


def make_settings(**changed: Any) -> Settings:
    """Settings of an app on loopback, whose services are nowhere."""
    given: dict[str, Any] = {
        "secret_key": "of the tests",
        "mongo": MongoSettings(uri="mongodb://127.0.0.1:1/"),
        "replicate_api_token": "r8_of_the_tests",
        "replicate_base_url": "",
        "hookdeck_webhook_secret": "gateway of the tests",
        "webhook_urls": {"audio": "https://gateway.test/a", "image": "https://gateway.test/i"},
        "embeddings_webhook_url": "https://gateway.test/e",
        **changed,
    }
    return Settings(**given)


def make_app(memory: Memory, **changed: Any) -> Flask:
    """The app without its services; `changed` are settings."""
    settings = make_settings(**changed)
    anything = cast(Any, memory)
    services = Services(
        database=anything,
        pipeline=anything,
        imports=Imports(cast(Any, memory.imports), cast(Any, memory.lists)),
        checks=Checks(anything, Turns()),
        search=anything,
        watch=Watch(anything, cast(Any, memory.replicate)),
        gateway=application.create_gateway(settings),
        app_url=settings.app_url,
        examples=memory.examples,
        webhook_secret=settings.hookdeck_webhook_secret,
    )
    made = application.create_web(settings, services)
    made.config.update(TESTING=True)
    return made


def rendered(memory: Memory, path: str, status: int = 200) -> html.HtmlElement:
    """The page that the app makes of these things."""
    answer = make_app(memory).test_client().get(path)
    assert answer.status_code == status, answer.text
    return html.document_fromstring(answer.text)


def text_of(tree: html.HtmlElement, selector: str) -> list[str]:
    """The texts of what is found, with single spaces."""
    return [" ".join(found.text_content().split()) for found in tree.xpath(selector)]


def hostile_world() -> Memory:
    """Things of strangers, in every place of which they can write."""
    words = dict.fromkeys(("event", "trigger", "prediction", "status"), HOSTILE)
    delivery = {"at": BEGAN, "completed_at": BEGAN, "attempt": 1, **words}
    failed = make_asset(
        1,
        AssetStatus.PROCESSING_ERROR,
        title=HOSTILE,
        error=HOSTILE,
        text=HOSTILE,
        deliveries=(delivery,),
    )
    found = make_asset(2, AssetStatus.SEARCHABLE, title=HOSTILE, content_type="text/html")
    hits = [
        make_hit(HOSTILE, 0.5, Heading(HOSTILE)),
        make_hit(HOSTILE, 0.5, TimeSpan(61.5, 70)),
    ]
    rows = [
        {"position": position, "text": hit.text, "locator": hit.locator, "embedded": True}
        for position, hit in enumerate(hits)
    ]
    return Memory([failed, found], rows, hits, [EXAMPLE])
