"""Many things, every kind of end, and a line on which callbacks are repeated, reordered,
delayed, refused and lost: each thing comes to its own end, once."""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from pymongo.database import Database

from tests.faults.conftest import Report
from tests.faults.drivers import Canceller, Mender, Repeater, Watcher, beside
from tests.faults.gateway import Gateway
from tests.faults.line import FaultyLine, faulty_line
from tests.faults.things import (
    Document,
    Thing,
    goes_forward,
    make_thing,
    passages,
    predictions,
    tracebacks,
    unlike_its_text,
)
from tests.support.sizes import SIZES
from tools.harness.cloud import Cloud
from tools.harness.person import FINISHED, Person
from tools.harness.site import Site
from tools.harness.waiting import wait_for

ENDS = ["fail", "wait", "null", "wrong"]
# Paragraphs of a long thing: more passages than one embedding request holds.
LONG = 40
# Seconds between two looks at all things; a look reads a page for each 200.
LOOK_EVERY = 0.5 + SIZES.things / 200
THREADS = 8


def plan(seed: int) -> list[Thing]:
    """The things of a run: a tenth for each end of each model, a few long ones."""
    draw = random.Random(seed)
    things = []
    for number in range(SIZES.things):
        audio, drawn = draw.random() < 0.5, int(draw.random() * 10)
        end = "text"
        if drawn < 4:
            end = f"vectors:{ENDS[drawn]}"
        elif drawn < 8 and audio:
            end = ENDS[drawn - 4]
        paragraphs = LONG if draw.random() < 0.05 else draw.randint(1, 4)
        name = f"soak-{seed}-{number}"
        things.append(make_thing(name, draw, audio=audio, end=end, paragraphs=paragraphs))
    return things


@pytest.fixture
def gateway(cloud: Cloud) -> Iterator[Gateway]:
    gateway = Gateway(cloud)
    yield gateway
    gateway.close()


class Run:
    """One run and what it knows: the things by the id of their asset."""

    def __init__(
        self, cloud: Cloud, person: Person, site: Site, database: Database[Document], seed: int
    ) -> None:
        self.cloud, self.person, self.site, self.database = cloud, person, site, database
        self.seed = seed
        self.things = {thing.path.strip("/"): thing for thing in plan(seed)}
        self.ids: dict[str, Thing] = {}
        self.mended: set[str] = set()

    def submit_all(self) -> None:
        def submit(thing: Thing) -> None:
            self.ids[self.person.submit(self.site.add(thing.path, thing.page()))] = thing

        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(submit, self.things.values()))

    def expected(self, asset_id: str) -> str:
        """The status in which the thing must end."""
        thing = self.ids[asset_id]
        if asset_id in self.mended and thing.fails_as == "PROCESSING_ERROR":
            return "SEARCHABLE"
        return thing.fails_as or "SEARCHABLE"

    def assets(self) -> dict[str, Any]:
        """Each thing as the app tells of it."""
        with ThreadPoolExecutor(4) as threads:
            found = threads.map(self.person.asset, self.ids)
            return dict(zip(self.ids, found, strict=True))

    def kept(self) -> dict[str, list[Document]]:
        """The passages of each thing."""
        return {asset_id: passages(self.database, asset_id) for asset_id in self.ids}


@pytest.mark.slow("two minutes; each of its faults has a short test of its own")
@pytest.mark.parametrize("seed", range(1, SIZES.seeds + 1))
def test_every_thing_comes_to_its_own_end_once(
    cloud: Cloud,
    person: Person,
    site: Site,
    database: Database[Document],
    gateway: Gateway,
    figure: Report,
    seed: int,
) -> None:
    run = Run(cloud, person, site, database, seed)
    watcher = Watcher(person)
    canceller = Canceller(cloud, run.things)
    mender = Mender(person, site, watcher, run.ids)
    repeater = Repeater(gateway, random.Random(seed))
    began = time.monotonic()
    with faulty_line(cloud, seed) as line, ExitStack() as drivers:
        drivers.callback(canceller.close)
        for step, pause in (
            (watcher.look, LOOK_EVERY),
            (canceller.look, 0.5),
            (mender.look, 0.5),
            (repeater.look, 4.0),
        ):
            drivers.enter_context(beside(step, pause))

        def moved() -> object:
            return dict(watcher.statuses), len(mender.mended), line.deliveries

        run.submit_all()
        submitted = time.monotonic() - began
        wait_for(
            lambda: _all_ended(run, watcher, mender),
            "everything at its end",
            pause=1.0,
            moved=moved,
        )
        ended = time.monotonic() - began
        run.mended = mender.mended
        drivers.close()
        wait_for(lambda: not _undelivered(gateway, run), "all delivered", pause=1.0, moved=moved)
        drained = time.monotonic() - began

        assets, kept = run.assets(), run.kept()
        again = _send_much_again(run, gateway, line, repeater.received())
        assert not _changed(assets, run.assets())
        assert not _changed(kept, run.kept())

    ends = Counter(asset["status"] for asset in assets.values())
    assert {each: asset["status"] for each, asset in assets.items()} == {
        each: run.expected(each) for each in run.ids
    }
    assert len(run.ids) == len(run.things)
    assert not watcher.backward
    assert not [each for each, asset in assets.items() if not _story_is_right(run, each, asset)]
    assert not _wrong_passages(run)
    assert not _wrong_payments(run)
    assert set(line.answers) <= {200, 503}
    assert not tracebacks(cloud)
    searched = _search_for_all(run)
    name = f"soak, seed {seed}"
    figure(
        f"{name}: {len(run.ids)} things",
        f"{submitted:.0f} s to submit, {ended:.0f} s until all were at their ends, {drained:.0f} s"
        f" until the gateway was drained; {_list(ends)}; {len(run.mended)} tried again,"
        f" {canceller.cancelled} predictions cancelled; {watcher.looks} looks",
    )
    figure(
        f"{name}: {line.deliveries} deliveries",
        f"{_list(line.faults)}; the app answered {_list(line.answers)};"
        f" {repeater.replayed} replayed meanwhile, {again} more long after",
    )
    figure(f"{name}: found by a passage of its own", f"{searched} of {ends['SEARCHABLE']}")


def _all_ended(run: Run, watcher: Watcher, mender: Mender) -> bool:
    """Whether each has its end and, if it is one of those, was tried again before that."""
    due = {each for each, thing in run.ids.items() if mender.is_for(thing)}
    finished = {each for each, status in watcher.statuses.items() if status in FINISHED}
    if not (due <= mender.mended and set(run.ids) <= finished):
        return False
    # The watcher may still tell of the failure before the second try.
    return all(run.person.asset(each)["status"] in FINISHED for each in due)


def _undelivered(gateway: Gateway, run: Run) -> list[str]:
    """The events of this run's things that the app has not taken; a callback for a thing that
    another test has deleted is never taken."""
    paths = [gateway.received(event["request_id"])[0] for event in gateway.undelivered()]
    return [path for path in paths if _is_of(run, path)]


def _is_of(run: Run, path: str) -> bool:
    """Whether a callback's path is of one of the run's things: /<asset id>[/<first>-<last>]."""
    return path.split("/")[1] in run.ids


def _changed(before: Mapping[str, object], after: Mapping[str, object]) -> dict[str, object]:
    """What was there before, and is not any more."""
    return {each: told for each, told in before.items() if after[each] != told}


def _send_much_again(run: Run, gateway: Gateway, line: FaultyLine, received: list[str]) -> int:
    """Replay a tenth of the requests, and post signed copies of another tenth by ourselves."""
    line.broken = False
    draw = random.Random(run.seed)
    some = draw.sample(received, len(received) // 5)
    chosen = [each for each in some if _is_of(run, gateway.received(each)[0])]
    replayed, copied = chosen[::2], chosen[1::2]
    events = [event for each in replayed for event in gateway.send_again(each)]
    for each in copied:
        path, body = gateway.received(each)
        kind = "audio" if b'"audio"' in body else "embedding"
        assert run.person.call_back(f"{kind}{path}", body).status_code == 200
    wait_for(lambda: not _undelivered(gateway, run), "the replays delivered", pause=1.0)
    return len(events) + len(copied)


def _story_is_right(run: Run, asset_id: str, asset: Mapping[str, Any]) -> bool:
    """Every status further than the one before, but for one new start of a mended thing."""
    history = asset["history"]
    starts = [number for number, entry in enumerate(history) if entry.get("again")]
    first = starts[0] if starts else len(history)
    parts = [history[:first], history[first:]]
    return len(starts) == (asset_id in run.mended) and all(
        goes_forward([entry["status"] for entry in part]) for part in parts
    )


def _wrong_passages(run: Run) -> list[str]:
    """Of searchable things those that do not say their text once, and passages of nobody."""
    wrong = [
        f"{thing.name}: {trouble}"
        for asset_id, thing in run.ids.items()
        if run.expected(asset_id) == "SEARCHABLE"
        and (trouble := unlike_its_text(run.database, asset_id, thing))
    ]
    assets = {document["_id"] for document in run.database["assets"].find({}, {"_id": 1})}
    owners = {row["asset_id"] for row in run.database["passages"].find({}, {"asset_id": 1})}
    return [*wrong, *map(str, owners - assets)]


def _wrong_payments(run: Run) -> list[str]:
    """Things for which a model was asked more, or less, often than it had to be."""
    texts: Counter[str] = Counter()
    batches: dict[str, Counter[str]] = {name: Counter() for name in run.things}
    for prediction in predictions(run.cloud):
        given = prediction["input"]
        if "audio" in given:
            texts[given["audio"].rpartition("/")[2]] += 1
        elif found := re.search(rf"of (soak-{run.seed}-\d+) ", given.get("text_batch", "")):
            name = found[1] if found[1] in run.things else f"{found[1]}.mp3"
            batches[name][given["text_batch"]] += 1
    wrong = []
    for asset_id, thing in run.ids.items():
        again, name = asset_id in run.mended, thing.path.strip("/")
        asked = texts[name]
        if asked != thing.audio + (again and thing.fails_as == "PROCESSING_ERROR"):
            wrong.append(f"{name} ({thing.end}): {asked} transcripts")
        rows = len(passages(run.database, asset_id))
        if len(batches[name]) != -(-rows // 32):
            wrong.append(f"{name} ({thing.end}): {len(batches[name])} batches of {rows} passages")
        # The batch that failed is asked for again, and one that was still under way then.
        most = 2 if again and thing.fails_as == "EMBEDDINGS_ERROR" else 1
        if any(count > most for count in batches[name].values()):
            wrong.append(f"{name} ({thing.end}): {list(batches[name].values())} embeddings")
    return wrong


def _search_for_all(run: Run) -> int:
    """Look for each thing with the text of one of its passages; what failed is never found."""
    draw = random.Random(run.seed)

    def look(asset_id: str, text: str) -> bool:
        found = run.person.search(text)
        if run.expected(asset_id) != "SEARCHABLE":
            return asset_id not in [result["asset_id"] for result in found]
        first = next(iter(found), None)
        if first is None or first["asset_id"] != asset_id:
            return False
        best = first["passages"][0]
        return bool(best["text"] == text and best["similarity"] > 0.999)

    # A query in which an end of the embedding model is named would come to that end itself.
    texts = {
        asset_id: [row["text"] for row in rows if "vectors:" not in row["text"]]
        for asset_id, rows in run.kept().items()
    }
    queries = [(asset_id, draw.choice(rows)) for asset_id, rows in texts.items() if rows]
    with ThreadPoolExecutor(4) as threads:
        right = list(threads.map(look, *zip(*queries, strict=True)))
    wrong = [query for query, is_right in zip(queries, right, strict=True) if not is_right]
    assert not wrong
    return sum(run.expected(asset_id) == "SEARCHABLE" for asset_id, _ in queries)


def _list(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items(), key=str))
