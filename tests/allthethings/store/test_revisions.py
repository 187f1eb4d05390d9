"""A text is replaced at once, whichever write was the last before a crash."""

from __future__ import annotations

import contextlib
import json
import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from typing import Any, cast

import numpy as np
import pytest
from bson import ObjectId
from pymongo.collection import Collection

from allthethings.assets.asset import Asset
from allthethings.assets.looks import Outcome
from allthethings.assets.passages import Shape
from allthethings.errors import BadInput, ErrorCode, NoSuchAsset
from allthethings.mongo import Database
from allthethings.pipeline.members import Sources
from allthethings.pipeline.pipeline import Pipeline, create_pipeline
from allthethings.pipeline.reconciler import Reconciler
from allthethings.processors import Tools
from allthethings.processors.html import HtmlProcessor
from allthethings.replicate.client import ReplicateClient
from allthethings.replicate.predictions import DIMENSIONS, Prediction
from allthethings.store.documents import now
from guardedfetch import Fetcher, parse_allow
from tools.harness.site import Page, Site, running_site

A_DAY = timedelta(days=1)
WRITES = (
    *("insert_one", "insert_many", "replace_one", "update_one", "update_many", "bulk_write"),
    *("delete_one", "delete_many", "find_one_and_update", "find_one_and_delete"),
)
fresh = count()


def vector(text: str) -> list[float]:
    """The one of this text."""
    drawn = np.random.default_rng(zlib.crc32(text.encode())).normal(size=DIMENSIONS)
    return [float(number) for number in drawn.astype(np.float32)]


def paragraph(name: str) -> str:
    """Long enough to be a passage of its own."""
    return f"{name} {' '.join(f'{name}{number}' for number in range(60))}."


def markup(names: Sequence[str], title: str = "Letters") -> Page:
    body = "".join(f"<p>{paragraph(name)}</p>" for name in names)
    head = f"<html><head><title>{title}</title></head>"
    return Page(f"{head}<body><article>{body}</article></body></html>".encode())


@dataclass
class Vectors:
    """In the place of the embedding model: the requests that it got, by prediction."""

    asked: dict[str, tuple[str, int, Sequence[str]]] = field(default_factory=dict)

    def generate(self, asset: Asset, first: int, texts: Sequence[str]) -> str:
        prediction_id = f"p{len(self.asked)}"
        self.asked[prediction_id] = asset.id, first, texts
        return prediction_id

    def find(self, asset: Asset, texts: Sequence[str]) -> str | None:
        wanted = asset.id, texts
        return next((key for key, (of, _, its) in self.asked.items() if (of, its) == wanted), None)

    def one_list(self) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def get(self, prediction_id: str) -> Prediction | None:
        return self.look_up(prediction_id)

    def look_up(self, prediction_id: str) -> Prediction | None:
        _, _, texts = self.asked[prediction_id]
        output = [{"embedding": vector(text)} for text in texts]
        told = {"text_batch": json.dumps(texts)}
        return Prediction(prediction_id, "succeeded", output, None, input=told)

    def call_back(self, pipeline: Pipeline) -> None:
        """Deliver every callback, again if it was before."""
        for prediction_id, (asset_id, first, texts) in [*self.asked.items()]:
            payload = {
                "id": prediction_id,
                "status": "succeeded",
                "input": {"text_batch": json.dumps(texts)},
                "output": [{"embedding": vector(text)} for text in texts],
            }
            try:
                pipeline.record_vectors(asset_id, first, first + len(texts) - 1, payload)
            except NoSuchAsset:  # the gateway is answered 404, and does not come again
                continue


@dataclass(frozen=True)
class World:
    """One thing, a page of the site, and the processes that work on it."""

    database: Database
    site: Site
    vectors: Vectors
    replicate: ReplicateClient

    def process(self) -> Pipeline:
        """The steps as a process has them that has just started."""
        fetcher = Fetcher(parse_allow("127.0.0.1"))
        sources = Sources(self.database, fetcher, self.replicate)
        tools = Tools(
            self.replicate,
            sources.download,
            sources.part,
            {},
            sources.unpack,
            sources.lend,
            sources.forget,
        )
        return create_pipeline(
            self.database,
            fetcher,
            tools,
            cast(Any, self.vectors),
            lambda texts: [len(text.split()) for text in texts],
            timedelta(0),
            Shape(),
        )

    def index(self, page: Page) -> str:
        pipeline = self.process()
        asset = pipeline.submission.submit(self.site.add(f"/{next(fresh)}", page))
        self.vectors.call_back(pipeline)
        assert self.seen(asset.id)[0] == 0
        return asset.id

    def change(self, asset_id: str, page: Page) -> None:
        url = self.database.assets.existing(asset_id).url
        self.site.add(url.removeprefix(self.site.address), page)

    def work(self, asset_id: str) -> None:
        """All that processes do that were just started, a day later."""
        self.let_leases_end()
        pipeline = self.process()
        # Not where its new version is being made, or where it was deleted.
        with contextlib.suppress(BadInput, NoSuchAsset):
            pipeline.looks.ask(asset_id)
        self.vectors.call_back(pipeline)
        self.let_leases_end()
        for stores, stages in (
            (self.database, pipeline),
            (self.database.of_revisions, pipeline.of_revisions),
        ):
            Reconciler(stores, self.replicate, stages, timedelta(0), A_DAY).reconcile()
        self.vectors.call_back(pipeline)
        self.let_leases_end()
        pipeline.revisions.complete_all()

    def let_leases_end(self) -> None:
        earlier = now() - A_DAY
        for name in ("assets", "revisions"):
            self.database.database[name].update_many({}, {"$set": {"lease_until": earlier}})
        self.database.database["assets"].update_many({}, {"$unset": {"looking_until": ""}})

    def seen(self, asset_id: str) -> tuple[int, list[str]]:
        """The revision and the words of the thing, as a reader finds them: a whole version of its
        text, each passage with the vector of its own text."""
        thing = self.database.assets.get(asset_id)
        assert thing is not None
        assert thing.status == "SEARCHABLE"
        rows = list(
            self.database.passages.collection.find(
                {"asset_id": ObjectId(asset_id), "revision": thing.revision}
            ).sort("position", 1)
        )
        assert [row["position"] for row in rows] == list(range(len(rows)))
        assert "\n\n".join(row["text"] for row in rows) == thing.text
        for row in rows:
            assert list(row["embedding"].as_vector().data) == vector(row["text"])
        return thing.revision or 0, [row["text"].split()[0] for row in rows]

    def left_over(self, asset_id: str) -> dict[str, int]:
        """What is kept besides the thing and its present passages."""
        thing, key = self.database.assets.get(asset_id), ObjectId(asset_id)
        others = {"asset_id": key, **({"revision": {"$ne": thing.revision}} if thing else {})}
        database = self.database.database
        return {
            "passages": database["passages"].count_documents(others),
            "revisions": database["revisions"].count_documents({"thing_id": key}),
            "revision_passages": database["revision_passages"].count_documents({}),
            "revision_deletions": database["revision_deletions"].count_documents({}),
        }


NOTHING = dict.fromkeys(("passages", "revisions", "revision_passages", "revision_deletions"), 0)


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    database.revisions.create_indexes()
    replicate = ReplicateClient("r8_of_the_tests", "http://127.0.0.1:9")
    with running_site() as site:
        yield World(database, site, Vectors(), replicate)


class Died(BaseException):
    """As kill -9: nothing catches it, and nothing is written after it."""


@dataclass
class Life:
    """Lets the process die before its write of that number, counted from 0."""

    ends_at: int
    written: int = 0

    def write(self) -> None:
        if self.written >= self.ends_at:
            raise Died
        self.written += 1


def mortal(monkeypatch: pytest.MonkeyPatch, life: Life) -> None:
    """Every write to the database counts in that life."""

    def around(method: Callable[..., Any]) -> Callable[..., Any]:
        def write(*args: Any, **kwargs: Any) -> Any:
            life.write()
            return method(*args, **kwargs)

        return write

    for name in WRITES:
        monkeypatch.setattr(Collection, name, around(getattr(Collection, name)))


def replace_text(world: World, asset_id: str) -> None:
    """A look, and the callback that follows."""
    pipeline = world.process()
    pipeline.looks.ask(asset_id)
    world.vectors.call_back(pipeline)


def test_a_death_before_any_write_loses_and_mixes_nothing(world: World) -> None:
    versions = [["ash", "beech", "cedar", "date"], ["beech", "cedar", "elm"]]
    asset_id = world.index(markup(versions[0]))
    for number in count():
        old, new = (number, versions[number % 2]), (number + 1, versions[(number + 1) % 2])
        world.change(asset_id, markup(new[1]))
        life = Life(number)
        with pytest.MonkeyPatch.context() as monkeypatch:
            mortal(monkeypatch, life)
            with contextlib.suppress(Died):
                replace_text(world, asset_id)
        assert world.seen(asset_id) in (old, new)
        world.work(asset_id)
        assert world.seen(asset_id) == new, number
        assert world.left_over(asset_id) == NOTHING, number
        (change, *_) = world.database.changes.of(asset_id, number + 1)
        assert change.diff.kept == 2
        if life.written < number:  # it has lived to its end
            break
    assert number > 15


@pytest.mark.slow("a thing for each death; the death of a replacement is the harder case")
def test_a_deletion_that_dies_before_any_write_leaves_nothing(world: World) -> None:
    for number in count():
        asset_id = world.index(markup(["ash", "beech"]))
        world.change(asset_id, markup(["ash", "elm"]))
        world.process().looks.ask(asset_id)
        life = Life(number)
        with pytest.MonkeyPatch.context() as monkeypatch:
            mortal(monkeypatch, life)
            with contextlib.suppress(Died):
                world.process().lifecycle.delete(asset_id)
        ended = life.written < number
        if world.database.assets.get(asset_id) is not None and number == 0:
            world.process().lifecycle.delete(asset_id)  # who gets no answer asks again
        world.work(asset_id)
        assert world.database.assets.get(asset_id) is None
        assert world.left_over(asset_id) == NOTHING, number
        if ended:
            break
    assert number > 3


def test_many_processes_at_once_replace_a_text_once(world: World) -> None:
    asset_id = world.index(markup(["ash", "beech", "cedar"]))
    world.change(asset_id, markup(["ash", "elm", "cedar"]))
    pipelines = [world.process() for _ in range(6)]

    def act(pipeline: Pipeline) -> None:
        with contextlib.suppress(BadInput):  # another one looks
            pipeline.looks.ask(asset_id)
        world.vectors.call_back(pipeline)

    with ThreadPoolExecutor(len(pipelines)) as many:
        list(many.map(act, pipelines))
    world.work(asset_id)
    assert world.seen(asset_id) == (1, ["ash", "elm", "cedar"])
    assert world.left_over(asset_id) == NOTHING
    embedded = [text for _, _, texts in world.vectors.asked.values() for text in texts]
    assert len(embedded) == len(set(embedded)) == 4


def test_late_vectors_of_older_versions_change_nothing(world: World) -> None:
    versions = [["ash", "beech"], ["ash", "elm"], ["fig", "elm"], ["ash", "beech"]]
    asset_id = world.index(markup(versions[0]))
    for number, names in enumerate(versions[1:], 1):
        world.change(asset_id, markup(names))
        replace_text(world, asset_id)  # with every callback that there ever was
        assert world.seen(asset_id) == (number, names)
        assert world.left_over(asset_id) == NOTHING


def test_random_lives_end_in_the_latest_text(world: World) -> None:
    draw, names = random.Random(5), ["ash", "beech", "cedar", "date", "elm", "fig"]
    latest = names[:3]
    asset_id = world.index(markup(latest))
    for _ in range(12):
        latest = draw.sample(names, draw.randint(1, 5))
        world.change(asset_id, markup(latest))
        with pytest.MonkeyPatch.context() as monkeypatch:
            mortal(monkeypatch, Life(draw.randint(0, 40)))
            with contextlib.suppress(Died, BadInput):
                replace_text(world, asset_id)
        world.seen(asset_id)
    for _ in range(2):  # the first ends a version that was under way
        world.work(asset_id)
    assert world.seen(asset_id)[1] == latest
    assert world.left_over(asset_id) == NOTHING


def test_a_page_that_has_become_too_large_keeps_its_text(world: World) -> None:
    asset_id = world.index(markup(["ash", "beech"]))
    large = markup(["ash", "beech", "cedar"])
    world.change(asset_id, replace(large, body=large.body + b" " * HtmlProcessor.max_bytes))
    looks = world.process().looks.ask(asset_id).looks
    assert (looks.outcome, looks.error_code) == (Outcome.FAILED, ErrorCode.TOO_LARGE)
    assert world.seen(asset_id) == (0, ["ash", "beech"])


def test_another_title_alone_is_a_change(world: World) -> None:
    asset_id = world.index(markup(["ash", "beech"]))
    world.change(asset_id, markup(["ash", "beech"], title="Trees"))
    replace_text(world, asset_id)
    assert world.seen(asset_id) == (1, ["ash", "beech"])
    (change,) = world.database.changes.of(asset_id, 1)
    assert (change.former_title, change.diff.added, change.diff.removed) == ("Letters", 0, 0)
    row = world.database.passages.collection.find_one({"asset_id": ObjectId(asset_id)})
    assert row is not None
    assert row["title"] == "Trees"
