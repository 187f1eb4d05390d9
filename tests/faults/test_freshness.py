"""What has not changed costs a request; what has is replaced at once."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from tests.faults.things import Document, Thing, make_thing, predictions, unlike_its_text
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.site import Page, Site
from tools.harness.waiting import wait_for

fresh = count()


@pytest.fixture
def thing() -> Thing:
    """A page whose every paragraph is a passage."""
    number = next(fresh)
    return long(make_thing(f"fresh{number}", random.Random(number), paragraphs=4))


def long(thing: Thing) -> Thing:
    """Its paragraphs are long enough to be passages of their own."""
    filler = " ".join(f"word{number}" for number in range(60))
    return replace(thing, paragraphs=tuple(f"{each} And {filler}." for each in thing.paragraphs))


def changed(thing: Thing, paragraph: int, said: str) -> Thing:
    """The thing with another paragraph there."""
    paragraphs = [*thing.paragraphs]
    paragraphs[paragraph] = f"{said} {' '.join(f'other{number}' for number in range(60))}."
    return replace(thing, paragraphs=tuple(paragraphs))


def serve(site: Site, thing: Thing, etag: str | None = None) -> str:
    headers = {"ETag": f'"{etag}"'} if etag else {}
    return site.add(thing.path, replace(thing.page(), headers=headers))


def look(person: Person, asset_id: str) -> dict[str, Any]:
    """What a look finds, once an earlier one and its new version have ended."""

    def looked() -> dict[str, Any] | None:
        answer = person.http.post(f"/look-again/{asset_id}")
        return dict(answer.json()["asset"]["looks"]) if answer.status_code == 202 else None

    return wait_for(looked, f"a look at {asset_id}")


def at_revision(person: Person, asset_id: str, number: int) -> dict[str, Any]:
    """The thing when its text was replaced so often."""

    def there() -> dict[str, Any] | None:
        asset = person.asset(asset_id)
        return asset if asset["looks"]["revision"] == number else None

    return wait_for(there, f"revision {number} of {asset_id}")


def found_by(person: Person, phrase: str) -> list[str]:
    """The ids of things that hold the phrase."""
    return [result["asset_id"] for result in person.search(f'"{phrase}"')]


def embedded(cloud: Cloud, act: Callable[[], object]) -> str:
    """The texts for which vectors were asked while something happened."""
    before = {each["id"] for each in predictions(cloud)}
    act()
    new = [each for each in predictions(cloud) if each["id"] not in before]
    return " ".join(each["input"].get("text_batch", "") for each in new)


def test_what_the_server_says_is_unchanged_costs_one_request(
    cloud: Cloud, person: Person, site: Site, thing: Thing
) -> None:
    asset = person.index(serve(site, thing, "one"))
    before = len(site.answers)
    texts = embedded(cloud, lambda: look(person, asset["id"]))
    assert texts == ""
    assert site.answers[before:] == [(thing.path, 304)]
    looks = person.asset(asset["id"])["looks"]
    assert (looks["outcome"], looks["revision"], looks["error"]) == ("unchanged", 0, None)


@pytest.mark.parametrize("markup", ["", "<!-- another build of the same page -->"])
def test_the_same_text_makes_no_new_version(
    cloud: Cloud, person: Person, site: Site, thing: Thing, markup: str
) -> None:
    """As of servers that make each ETag anew, and of pages built anew."""
    asset = person.index(serve(site, thing, "one"))
    page = thing.page()
    site.add(thing.path, replace(page, body=page.body + markup.encode(), headers={"ETag": '"2"'}))
    assert embedded(cloud, lambda: look(person, asset["id"])) == ""
    assert person.asset(asset["id"])["looks"]["outcome"] == "unchanged"
    before = len(site.answers)
    look(person, asset["id"])
    assert site.answers[before:] == [(thing.path, 304)], "the new ETag is remembered"


def test_only_changed_passages_are_embedded_and_the_text_is_replaced(
    cloud: Cloud, person: Person, site: Site, database: Database[Document], thing: Thing
) -> None:
    asset = person.index(serve(site, thing))
    mark = f"walrus{thing.name}"
    newer = changed(thing, 1, f"The {mark} has come to stay.")
    serve(site, newer)
    texts = embedded(
        cloud, lambda: (look(person, asset["id"]), at_revision(person, asset["id"], 1))
    )
    assert mark in texts
    assert "Part 1 of" not in texts
    assert "Part 3 of" not in texts
    assert unlike_its_text(database, asset["id"], newer) is None
    assert found_by(person, mark) == [asset["id"]]
    assert found_by(person, f"Part 2 of {thing.name}") == []
    assert found_by(person, f"Part 3 of {thing.name}") == [asset["id"]]
    assert database["revisions"].count_documents({"thing_id": ObjectId(asset["id"])}) == 0
    assert database["revision_passages"].count_documents({}) == 0
    (change,) = person.asset(asset["id"])["changes"]
    assert (change["added"], change["removed"], change["kept"]) == (1, 1, 3)
    assert [part["what"] for part in change["passages"]] == ["kept", "removed", "added", "kept"]
    assert change["passages"][2]["text"] == newer.paragraphs[1]


def test_a_text_that_only_loses_passages_needs_no_vectors(
    cloud: Cloud, person: Person, site: Site, database: Database[Document], thing: Thing
) -> None:
    asset = person.index(serve(site, thing))
    shorter = replace(thing, paragraphs=thing.paragraphs[1:])
    serve(site, shorter)
    assert embedded(cloud, lambda: look(person, asset["id"])) == ""
    assert person.asset(asset["id"])["looks"]["revision"] == 1, "it is replaced within the request"
    assert unlike_its_text(database, asset["id"], shorter) is None


def test_a_text_that_flips_keeps_a_bounded_history(
    person: Person, site: Site, database: Database[Document], thing: Thing
) -> None:
    asset = person.index(serve(site, thing))
    other = changed(thing, 0, "On the other hand.")
    for number in range(1, 8):
        serve(site, other if number % 2 else thing)
        look(person, asset["id"])
        at_revision(person, asset["id"], number)
    assert unlike_its_text(database, asset["id"], other) is None
    kept = database["changes"].find({"asset_id": ObjectId(asset["id"])})
    assert sorted(each["revision"] for each in kept) == [3, 4, 5, 6, 7]
    person.http.post(f"/assets/{asset['id']}/delete")
    assert database["changes"].count_documents({"asset_id": ObjectId(asset["id"])}) == 0
    assert database["passages"].count_documents({"asset_id": ObjectId(asset["id"])}) == 0


def test_a_thing_that_is_gone_keeps_its_text_and_may_come_back(
    person: Person, site: Site, thing: Thing
) -> None:
    asset = person.index(serve(site, thing, "one"))
    site.add(thing.path, Page(status=410))
    first = look(person, asset["id"])
    assert first["outcome"] == "gone"
    assert first["error_code"] == "not_found"
    again = look(person, asset["id"])
    assert again["gone_since"] == first["gone_since"]
    assert found_by(person, f"Part 1 of {thing.name}") == [asset["id"]]
    page = person.http.get(f"/assets/{asset['id']}", headers={"Accept": "text/html"}).text
    assert "Gone since" in page
    serve(site, thing, "one")
    back = look(person, asset["id"])
    assert (back["outcome"], back["gone_since"], back["failing_since"]) == ("unchanged", None, None)


def test_a_server_that_fails_changes_nothing(person: Person, site: Site, thing: Thing) -> None:
    asset = person.index(serve(site, thing))
    site.add(thing.path, Page(status=503))
    first = look(person, asset["id"])
    assert (first["outcome"], first["failures"]) == ("failed", 1)
    assert first["error_code"] == "server_unavailable"
    assert look(person, asset["id"])["failures"] == 2
    site.add(thing.path, Page(b"%PDF-1.4", "application/pdf"))
    other = look(person, asset["id"])
    assert other["error"] == "Its server sends application/pdf now, not a web page."
    assert found_by(person, f"Part 1 of {thing.name}") == [asset["id"]]


def test_a_recording_is_transcribed_again_only_if_it_has_changed(
    cloud: Cloud, person: Person, site: Site, database: Database[Document]
) -> None:
    number = next(fresh)
    spoken = make_thing(f"fresh{number}", random.Random(number), audio=True)
    asset = person.index(serve(site, spoken, "one"))
    before = len(list(predictions(cloud)))
    assert look(person, asset["id"])["outcome"] == "unchanged"
    assert len(list(predictions(cloud))) == before
    newer = make_thing(spoken.name, random.Random(number + 1_000), audio=True)
    serve(site, newer, "two")
    assert look(person, asset["id"])["outcome"] == "changed"
    at_revision(person, asset["id"], 1)
    assert unlike_its_text(database, asset["id"], newer) is None
    assert look(person, asset["id"])["outcome"] == "unchanged"


def test_a_server_that_makes_each_etag_anew_wastes_the_model_once(
    cloud: Cloud, person: Person, site: Site, database: Database[Document]
) -> None:
    number = next(fresh)
    spoken = make_thing(f"fresh{number}", random.Random(number), audio=True)
    asset = person.index(serve(site, spoken, "0"))
    costs = []
    for tag in range(1, 4):
        serve(site, spoken, str(tag))
        before = len(list(predictions(cloud)))
        look(person, asset["id"])
        wait_for(
            lambda: not database["revisions"].count_documents({"thing_id": ObjectId(asset["id"])}),
            "the end of the new version",
        )
        costs.append(len(list(predictions(cloud))) - before)
        looks = person.asset(asset["id"])["looks"]
        assert (looks["outcome"], looks["revision"]) == ("unchanged", 0)
    assert costs == [1, 0, 0]


def test_a_new_version_that_fails_leaves_the_old_one(
    person: Person, site: Site, database: Database[Document]
) -> None:
    number = next(fresh)
    spoken = make_thing(f"fresh{number}", random.Random(number), audio=True)
    asset = person.index(serve(site, spoken, "one"))
    serve(site, replace(spoken, end="null", paragraphs=("Other words.",)), "two")
    look(person, asset["id"])

    def failed() -> bool:
        return bool(person.asset(asset["id"])["looks"]["outcome"] == "failed")

    wait_for(failed, "the end of the new version")
    assert person.asset(asset["id"])["status"] == "SEARCHABLE"
    assert unlike_its_text(database, asset["id"], spoken) is None
    assert database["revisions"].count_documents({"thing_id": ObjectId(asset["id"])}) == 0


def test_a_thing_deleted_while_its_new_version_is_made_is_gone_for_good(
    person: Person, site: Site, database: Database[Document], thing: Thing
) -> None:
    asset = person.index(serve(site, thing))
    serve(site, changed(thing, 0, "It is marked vectors:wait here."))
    assert look(person, asset["id"])["outcome"] == "changed"
    refused = person.http.post(f"/look-again/{asset['id']}")
    assert (refused.status_code, "being made" in refused.json()["error"]) == (409, True)
    person.http.post(f"/assets/{asset['id']}/delete")
    key = ObjectId(asset["id"])
    assert database["revisions"].count_documents({"thing_id": key}) == 0
    assert database["passages"].count_documents({"asset_id": key}) == 0


def test_a_moved_thing_is_known_by_both_urls(person: Person, site: Site, thing: Thing) -> None:
    asset = person.index(serve(site, thing, "one"))
    other = site.add(f"{thing.path}-moved", site.pages[thing.path])
    site.add(thing.path, Page(status=301, headers={"Location": other}))
    looks = look(person, asset["id"])
    assert (looks["outcome"], looks["moved_to"]) == ("unchanged", other)
    known = person.http.post("/process", data={"url": other})
    assert (known.status_code, known.json()["asset"]["id"]) == (200, asset["id"])
    site.add(thing.path, Page(status=404))
    assert look(person, asset["id"])["outcome"] == "unchanged", "it is asked for where it went"


@pytest.mark.slow("ten seconds; the tests beside it ask for their looks")
def test_a_scheduled_look_happens_by_itself(
    person: Person, site: Site, database: Database[Document], thing: Thing
) -> None:
    asset = person.index(serve(site, thing))
    chosen = person.http.post(f"/assets/{asset['id']}/schedule", data={"schedule": "daily"})
    assert chosen.json()["asset"]["looks"]["schedule"] == "daily"
    wait = datetime.fromisoformat(chosen.json()["asset"]["looks"]["next_at"]) - datetime.now(UTC)
    assert timedelta(hours=22) < wait < timedelta(hours=26)
    wrong = person.http.post(f"/assets/{asset['id']}/schedule", data={"schedule": "hourly"})
    assert wrong.status_code == 400
    newer = changed(thing, 2, "By itself.")
    serve(site, newer)
    database["assets"].update_one(
        {"_id": ObjectId(asset["id"])}, {"$set": {"look_again_at": datetime.now(UTC)}}
    )
    at_revision(person, asset["id"], 1)
    assert unlike_its_text(database, asset["id"], newer) is None
    following = datetime.fromisoformat(person.asset(asset["id"])["looks"]["next_at"])
    assert following > datetime.now(UTC) + timedelta(hours=22)
