"""Fifty people submit one thing at the same moment, each in another spelling of its URL."""

from __future__ import annotations

import random
import re
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from typing import Any
from urllib.parse import quote

from tests.faults.conftest import Report
from tests.faults.things import Thing, make_thing, predictions, tracebacks
from tests.support.sizes import SIZES
from tools.harness.cloud import Cloud
from tools.harness.person import FINISHED, Person
from tools.harness.site import Page, Site
from tools.harness.waiting import wait_for

CROWD = 50
PATHS = (
    "talks/~zoë/{name}",
    "./talks/~zoë/{name}",
    "talks/./~zoë/./{name}",
    "news/../talks/~zoë/{name}",
    "../talks/%7Ezoë/{name}",
    "talks/%7ezo%C3%AB/{name}",
    "t%61lks/~zo%c3%ab/{name}",
    "talks/~%7A%6F%C3%AB/{name}",
)
HOSTS = ("localhost", "LOCALHOST", "LocalHost", "localhost.")
SCHEMES = ("http", "HTTP", "Http")
ENDS = ("", "#", "#t=30", "?", "?#part")
AROUND = ("{}", "  {}", "{}\n", "\t{} ")


def spellings(port: int, name: str, draw: random.Random) -> list[str]:
    """As many ways to write the URL as there are people."""
    written = [
        draw.choice(AROUND).format(
            f"{draw.choice(SCHEMES)}://{draw.choice(HOSTS)}:{port}/"
            f"{path.format(name=name)}{draw.choice(ENDS)}"
        )
        for path in islice(cycle(PATHS), CROWD)
    ]
    draw.shuffle(written)
    return written


def serve(site: Site, thing: Thing, name: str) -> None:
    """Whichever spelling was the first is the one that the site is asked for."""
    page: Page = thing.page()
    for path in PATHS:
        raw = quote(f"/{path.format(name=name)}", safe="/%~")
        for each in {raw, raw.replace("/./", "/"), raw.replace("/news/..", "").replace("/..", "")}:
            site.add(each, page)
            site.add(each.replace("~", "%7E"), page)


def submit_at_once(person: Person, urls: list[str]) -> list[tuple[int, Any]]:
    """The status and the JSON that each is answered."""
    start = threading.Barrier(len(urls))

    def submit(url: str) -> tuple[int, Any]:
        start.wait()
        answer = person.http.post("/process", data={"url": url})
        return answer.status_code, answer.json()

    with ThreadPoolExecutor(len(urls)) as threads:
        return list(threads.map(submit, urls))


def test_all_are_answered_with_one_thing_that_is_made_once(
    cloud: Cloud, person: Person, site: Site, figure: Report
) -> None:
    draw = random.Random(7)
    port = int(site.address.rpartition(":")[2])
    total = person.http.get("/").json()["total"]
    ids: dict[str, Thing] = {}
    codes: Counter[int] = Counter()
    for number in range(SIZES.crowd_rounds):
        name = f"crowd-{number}-talk"
        thing = make_thing(name, draw, audio=number % 2 == 0)
        serve(site, thing, name)
        answers = submit_at_once(person, spellings(port, name, draw))
        codes.update(status for status, _ in answers)
        assert Counter(status for status, _ in answers) == {201: 1, 200: CROWD - 1}, answers
        [asset_id] = {answer["asset"]["id"] for _, answer in answers}
        ids[asset_id] = thing
    assert len(ids) == SIZES.crowd_rounds
    assert person.http.get("/").json()["total"] == total + len(ids)

    def all_ended() -> bool:
        return all(person.asset(asset_id)["status"] in FINISHED for asset_id in ids)

    wait_for(all_ended, "every thing at its end", pause=1.0, moved=lambda: person.moved(*ids))
    assert {person.asset(asset_id)["status"] for asset_id in ids} == {"SEARCHABLE"}
    asked: Counter[tuple[str, str]] = Counter()
    for prediction in predictions(cloud):
        if found := re.search(r"crowd-\d+-talk", str(prediction["input"])):
            asked[prediction["model"], found[0]] += 1
    recordings = [thing.name for thing in ids.values() if thing.audio]
    assert asked == {
        **{("openai/whisper", name): 1 for name in recordings},
        **{("replicate/all-mpnet-base-v2", thing.name): 1 for thing in ids.values()},
    }
    assert not tracebacks(cloud)
    figure(
        f"{SIZES.crowd_rounds} crowds of {CROWD}",
        f"{codes[201]} times 201, {codes[200]:,} times 200, {sum(asked.values())} predictions",
    )


def test_another_query_is_another_thing(person: Person, site: Site) -> None:
    thing = make_thing("crowd-query", random.Random(8))
    url = site.add(thing.path, thing.page())
    urls = [f"{url}{query}" for query in ("", "?page=2", "?b=2&a=1", "?a=1&b=2")]
    answers = submit_at_once(person, urls)
    assert [status for status, _ in answers] == [201] * len(urls)
    assert len({answer["asset"]["id"] for _, answer in answers}) == len(urls)
