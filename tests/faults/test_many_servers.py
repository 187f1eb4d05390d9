"""Several processes serve, and several workers work, over one database: whoever is asked, it is the
same app."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest
from pymongo.database import Database

from tests.faults import waiting_things
from tests.faults.crew import serving_beside, working_beside
from tests.faults.things import Document, Thing, goes_forward, make_thing, predictions
from tests.faults.waiting_things import Waiting
from tests.faults.wire import Wire
from tests.support.copies import PASSWORD
from tools.harness.cloud import Cloud
from tools.harness.person import FINISHED, JSON, Person
from tools.harness.site import Site
from tools.harness.waiting import PATIENCE, wait_for

WORKERS = 3


@pytest.fixture(
    scope="module",
    params=[
        3,
        pytest.param(
            8,
            marks=pytest.mark.slow(
                "three minutes; three servers make most of the mistakes of eight"
            ),
        ),
    ],
)
def servers(
    request: pytest.FixtureRequest, cloud: Cloud, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Cloud]]:
    """The copy as each of the servers shows it, which ask for a password."""
    folder = tmp_path_factory.mktemp("servers")
    with ExitStack() as stack:
        for number in range(WORKERS):
            stack.enter_context(working_beside(cloud, folder / f"worker-{number}.log"))
        yield [
            stack.enter_context(
                serving_beside(cloud, folder / f"serve-{number}.log", APP_PASSWORD=PASSWORD)
            )[0]
            for number in range(request.param)
        ]


@pytest.fixture(scope="module")
def people(servers: Sequence[Cloud]) -> Iterator[list[Person]]:
    """Somebody at each of the servers."""
    with ExitStack() as stack:
        people = [Person(served) for served in servers]
        for person in people:
            person.http.auth = ("", PASSWORD)
            stack.callback(person.http.close)
        yield people


def at_once(people: Sequence[Person], urls: Sequence[str]) -> list[httpx.Response]:
    """The answers to each one's URL, which all submit at the same moment."""
    start = threading.Barrier(len(people))

    def submit(person: Person, url: str) -> httpx.Response:
        start.wait()
        return person.http.post("/process", data={"url": url})

    with ThreadPoolExecutor(len(people)) as threads:
        return list(threads.map(submit, people, urls))


def test_what_all_submit_at_once_is_made_once(
    cloud: Cloud, people: Sequence[Person], site: Site
) -> None:
    thing = make_thing(f"everywhere-{len(people)}", random.Random(1), audio=True)
    url = site.add(thing.path, thing.page())
    answers = at_once(people, [f"{url}{'#' * (number % 2)}" for number in range(len(people))])
    assert Counter(each.status_code for each in answers) == {201: 1, 200: len(people) - 1}
    [asset_id] = {each.json()["asset"]["id"] for each in answers}
    assert people[-1].finished(asset_id)["status"] == "SEARCHABLE"
    asked = [each["model"] for each in predictions(cloud) if thing.name in str(each["input"])]
    assert Counter(asked) == {"openai/whisper": 1, "replicate/all-mpnet-base-v2": 1}


@pytest.mark.parametrize("kind", ["recording", "text"])
def test_each_takes_callbacks_and_one_counts(
    servers: Sequence[Cloud], database: Database[Document], kind: str
) -> None:
    """Each has a callback of its own first, which the gateway then delivers to all at once."""
    make = getattr(waiting_things, kind)
    things: list[Waiting] = [make(f"to-all-{kind}-{number}.mp3") for number in range(len(servers))]
    for thing in things:
        thing.put(database)
    with ExitStack() as stack, ThreadPoolExecutor(len(servers)) as threads:
        wires = [Wire(served) for served in servers]
        for wire in wires:
            stack.callback(wire.close)
        for first, thing in enumerate(things):
            turned = [*wires[first:], *wires[:first]]
            if first % 2:
                assert turned[0].signed(thing.path, thing.body) == 200
            answers = threads.map(lambda wire, it=thing: wire.signed(it.path, it.body), turned)
            assert list(answers) == [200] * len(servers)
    for thing in things:
        asset, *passages = thing.now(database)
        statuses = [entry["status"] for entry in asset["history"]]
        assert goes_forward(statuses), statuses
        assert len(statuses) > 1
        assert [each["position"] for each in passages] == list(range(len(passages)))


def test_all_find_what_each_submits_and_none_what_one_deletes(
    people: Sequence[Person], site: Site
) -> None:
    draw = random.Random(2)
    things = [
        make_thing(f"shared-{len(people)}-{number}", draw, audio=bool(number % 2))
        for number in range(2 * len(people))
    ]
    ids = {
        thing: people[number % len(people)].submit(site.add(thing.path, thing.page()))
        for number, thing in enumerate(things)
    }

    def statuses() -> Counter[str]:
        return Counter(people[0].asset(each)["status"] for each in ids.values())

    wait_for(lambda: not set(statuses()) - FINISHED, "all at their ends", pause=0.5, moved=statuses)
    assert set(statuses()) == {"SEARCHABLE"}
    for thing, asset_id in ids.items():
        assert [found_by(each, thing) for each in people] == [[asset_id]] * len(people)
    for number, (thing, asset_id) in enumerate(ids.items()):
        deleter = people[(number + 1) % len(people)]
        assert deleter.http.post(f"/assets/{asset_id}/delete").status_code == 200
        for person in people:
            assert found_by(person, thing) == []
            assert person.http.get(f"/assets/{asset_id}").status_code == 404


def found_by(person: Person, thing: Thing) -> list[str]:
    """The ids of what the server finds for words that only the thing has."""
    return [each["asset_id"] for each in person.search(f'"Part 1 of {thing.name} begins"')]


def test_a_session_is_one_for_all(servers: Sequence[Cloud]) -> None:
    """It is opened at the first, and ended at the last."""
    cookies = httpx.Cookies()

    def answer(served: Cloud, method: str, path: str, **form: str) -> int:
        with httpx.Client(
            base_url=served.address, cookies=cookies, headers=JSON, timeout=PATIENCE
        ) as http:
            told = http.request(method, path, data=form or None)
            if path == "/login":
                cookies.update(http.cookies)
            return told.status_code

    assert [answer(each, "GET", "/") for each in servers] == [401] * len(servers)
    assert answer(servers[0], "POST", "/login", password=PASSWORD) == 200
    assert [answer(each, "GET", "/") for each in servers] == [200] * len(servers)
    answer(servers[-1], "POST", "/logout")
    assert [answer(each, "GET", "/") for each in servers] == [401] * len(servers)
