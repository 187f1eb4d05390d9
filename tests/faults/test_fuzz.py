"""Strange requests: never an answer of 500, and what they are not for stays as it is."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_from_bytes, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.database import Database

from tests.faults import strange, waiting_things
from tests.faults.conftest import Report
from tests.faults.things import Document, tracebacks
from tests.faults.waiting_things import Waiting
from tests.faults.wire import Wire
from tests.support.sizes import SIZES
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.signing import SECOND_SIGNATURE, SIGNATURE, signature
from tools.harness.site import Page, Site

stable = settings(
    max_examples=SIZES.fuzz_bodies,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
# Things that fuzzed callbacks may change.
PREY = {"audio": waiting_things.recording("prey.mp3"), "embedding": waiting_things.text("prey")}
# Things that no callback here may change.
KEPT = [waiting_things.recording("kept.mp3"), waiting_things.text("kept")]


class World:
    """What the requests are for, and what must not change."""

    def __init__(self, cloud: Cloud, database: Database[Document], searchable: str) -> None:
        self.wire = Wire(cloud)
        self.database = database
        self.searchable = searchable
        self.answers: Counter[int] = Counter()
        for thing in KEPT:
            thing.put(database)
        self.others = [f"audio/{searchable}", f"embedding/{searchable}/0-0"]
        self.others += [thing.path for thing in KEPT]

    def kept(self) -> list[Any]:
        """All that must stay as it is."""
        assets = self.database["assets"].find({"content_type": "text/html"}).sort("_id")
        passages = self.database["passages"].find({"content_type": "text/html"}).sort("_id")
        return [*assets, *passages, *(thing.now(self.database) for thing in KEPT)]

    def said(self) -> str:
        counts = sorted(self.answers.items())
        return ", ".join(f"{count:,} times {status}" for status, count in counts)


@pytest.fixture(scope="module")
def world(
    cloud: Cloud, database: Database[Document], person: Person, site: Site
) -> Iterator[World]:
    wren = "The wren is a very small bird with a very loud voice, and it sings in winter too. "
    url = site.add("/fuzz-wren", Page(f"<article><p>{wren * 4}</p></article>".encode()))
    world = World(cloud, database, person.index(url)["id"])
    yield world
    world.wire.close()


@pytest.mark.slow("600 requests for each kind; random ones are made without it")
@pytest.mark.parametrize("kind", PREY)
def test_each_strange_value_in_each_place(world: World, cloud: Cloud, kind: str) -> None:
    prey = PREY[kind]
    prey.put(world.database)
    wrong = []
    for body in strange.everywhere({**prey.payload, "input": None}):
        status = world.wire.signed(prey.path, body)
        if status == 200:
            prey.put(world.database)
        elif status != 400:
            wrong.append((status, body[:200]))
    assert not wrong
    assert not tracebacks(cloud)


@pytest.mark.parametrize("kind", PREY)
def test_signed_callbacks(world: World, cloud: Cloud, figure: Report, kind: str) -> None:
    prey = PREY[kind]
    prey.put(world.database)
    before = world.kept()
    world.answers.clear()

    @settings(stable, max_examples=SIZES.fuzz_bodies // len(PREY))
    @given(strange.paths(prey.path, world.others), strange.bodies(prey.payload))
    def send(path: str, body: bytes) -> None:
        status = world.wire.signed(path, body)
        world.answers[status] += 1
        if status == 200:
            prey.put(world.database)
        assert status < 500
        assert status != 401

    send()
    assert world.kept() == before
    assert not tracebacks(cloud)
    _still_works(world, prey)
    figure(f"strange signed callbacks, {kind}", world.said())


@pytest.mark.parametrize("kind", PREY)
def test_unsigned_callbacks(world: World, cloud: Cloud, figure: Report, kind: str) -> None:
    prey = PREY[kind]
    prey.put(world.database)
    before = world.kept(), prey.now(world.database)
    world.answers.clear()
    another = st.builds(signature, st.text(max_size=8), st.binary(max_size=8)) | st.binary(
        max_size=40
    ).map(lambda raw: base64.b64encode(raw).decode())
    letters = st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=60)
    forged = another | letters.filter(str.isprintable)
    headers = st.dictionaries(st.sampled_from([SIGNATURE, SECOND_SIGNATURE]), forged)

    @settings(stable, max_examples=SIZES.fuzz_bodies // len(PREY))
    @given(strange.paths(prey.path, world.others), strange.bodies(prey.payload), headers)
    def send(path: str, body: bytes, given_headers: dict[str, str]) -> None:
        told = {name: value.encode("latin-1") for name, value in given_headers.items()}
        status = world.wire.call_back(path, body, told)
        world.answers[status] += 1
        assert 400 <= status < 500

    send()
    assert (world.kept(), prey.now(world.database)) == before
    assert world.answers[401] > SIZES.fuzz_bodies // len(PREY) // 2
    assert not tracebacks(cloud)
    _still_works(world, prey)
    figure(f"strange unsigned callbacks, {kind}", world.said())


def _still_works(world: World, prey: Waiting) -> None:
    prey.put(world.database)
    assert world.wire.signed(prey.path, prey.body) == 200
    assert prey.now(world.database)[0]["status"] != prey.asset["status"]


def test_public_pages(world: World, cloud: Cloud, site: Site, figure: Report) -> None:
    before = world.kept()
    world.answers.clear()
    text = st.text(max_size=60) | strange.words | st.text(min_size=1_990, max_size=2_010)
    raw = text.map(lambda one: one.encode("utf-8", "surrogatepass")) | st.binary(max_size=40)
    numbers = raw | st.integers().map(lambda number: str(number).encode())
    hosts = [
        site.address,
        "http://127.0.0.1:1",
        "http://[::1",
        "http://0x7f.1",
        "http://2130706433",
    ]
    hosts += ["http://127.0.0.1:99999", "http://localhost.:1", "http://a@b@127.0.0.1:1", "HTTP:"]
    urls = raw | st.builds(lambda host, rest: host.encode() + rest, st.sampled_from(hosts), raw)
    identities = st.sampled_from([strange.NOBODY, "z" * 24, "0" * 23]) | text
    accepts = st.sampled_from(["text/html", "application/json", "*/*", "", "a/b;q=x", "é, ,;;"])
    requests = st.one_of(
        raw.map(lambda query: ("GET", f"/search?query={quote_from_bytes(query)}", b"")),
        st.tuples(numbers, numbers).map(
            lambda pair: (
                "GET",
                f"/?page={quote_from_bytes(pair[0])}&per_page={quote_from_bytes(pair[1])}",
                b"",
            )
        ),
        identities.map(lambda one: ("GET", f"/assets/{strange.segment(one)}", b"")),
        st.tuples(identities, st.sampled_from(["retry", "delete", "x"])).map(
            lambda pair: ("POST", f"/assets/{strange.segment(pair[0])}/{pair[1]}", b"")
        ),
        urls.map(lambda url: ("POST", "/process", urlencode({"url": url}).encode())),
        raw.map(lambda body: ("POST", "/process", body)),
    )

    @settings(stable, max_examples=SIZES.fuzz_pages)
    @given(requests, accepts)
    def send(request: tuple[str, str, bytes], accept: str) -> None:
        method, path, body = request
        headers = {"Accept": accept.encode("latin-1")}
        if body:
            headers["Content-Type"] = b"application/x-www-form-urlencoded"
        status = world.wire.ask(method, path, body, headers)
        world.answers[status] += 1
        assert status < 500

    send()
    assert world.kept() == before
    assert not tracebacks(cloud)
    figure("strange requests of the public pages", world.said())
