from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from allthethings.errors import ErrorCode, RequestRefused, ServiceUnavailable
from allthethings.replicate.client import ReplicateClient
from allthethings.replicate.records import request_in
from tools.harness.site import Page, running_site

LIST = ("GET", "/v1/predictions")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def row(number: int, **fields: Any) -> dict[str, Any]:
    """A prediction that was created so many seconds ago."""
    moment = (NOW - timedelta(seconds=number)).isoformat()
    usual = {"version": "v", "status": "succeeded", "input": {"audio": f"http://a/{number}"}}
    return {"id": f"p{number}", "created_at": moment, **usual, **fields}


def listing(*rows: dict[str, Any], following: str | None = None) -> Page:
    return Page(json.dumps({"results": rows, "next": following}).encode(), "application/json")


def look(client: ReplicateClient, number: int, since: datetime = NOW) -> str | None:
    found = client.find("v", since, lambda values: values.get("audio") == f"http://a/{number}")
    return found.id if found else None


def test_what_is_found_tells_what_was_asked_for() -> None:
    with running_site() as site:
        site.add(LIST[1], listing(row(1, model="openai/whisper", urls={"get": "http://x/p1"})))
        client = ReplicateClient("r8_token", site.address)
        found = client.find("v", NOW, lambda values: bool(values))
        assert found is not None
        assert request_in(found.told) == {
            **{"id": "p1", "model": "openai/whisper", "version": "v", "status": "succeeded"},
            "input": {"audio": "http://a/1"},
            "created_at": (NOW - timedelta(seconds=1)).isoformat(),
            "urls": {"get": "http://x/p1"},
        }


def test_what_is_looked_for_together_is_looked_for_in_one_list() -> None:
    with running_site() as site:
        site.add(LIST[1], listing(*(row(number) for number in range(20))))
        client = ReplicateClient("r8_token", site.address)
        with client.one_list():
            assert [look(client, number) for number in range(20)] == [
                f"p{number}" for number in range(20)
            ]
            assert look(client, 99) is None
        assert site.requests == [LIST]


def test_the_list_is_read_again_for_who_looks_further_back() -> None:
    with running_site() as site:
        site.add(LIST[1], listing(row(10), row(200), row(400)))
        client = ReplicateClient("r8_token", site.address)
        with client.one_list():
            assert look(client, 200) is None
            assert look(client, 200, NOW - timedelta(seconds=150)) == "p200"
            assert look(client, 10) == "p10"
        assert site.requests == [LIST, LIST]


def test_an_older_list_finds_nobody_an_older_prediction() -> None:
    """It may be of another asset with the same URL, which was deleted since."""
    with running_site() as site:
        site.add(LIST[1], listing(row(10), row(200)))
        client = ReplicateClient("r8_token", site.address)
        with client.one_list():
            assert look(client, 200, NOW - timedelta(hours=1)) == "p200"
            assert look(client, 200) is None
        assert site.requests == [LIST]


def test_who_looks_alone_reads_a_new_list() -> None:
    with running_site() as site:
        site.add(LIST[1], listing())
        client = ReplicateClient("r8_token", site.address)
        with client.one_list():
            assert look(client, 1) is None
        site.add(LIST[1], listing(row(1)))
        assert look(client, 1) == "p1"


def test_it_looks_on_the_next_pages_and_past_what_failed_or_was_given_up() -> None:
    with running_site() as site:
        first = f"{site.address}/v1/more"
        site.add(LIST[1], listing(row(1, status="failed"), following=first))
        wanted = row(1)["input"]
        site.add("/v1/more", listing(row(2, input=wanted), row(3, input=wanted)))
        client = ReplicateClient("r8_token", site.address)
        assert look(client, 1) == "p2"
        matches = wanted.__eq__
        other = client.find("v", NOW, matches, ("p2",))
        assert other is not None
        assert other.id == "p3"
        assert client.find("w", NOW, matches) is None


def test_it_asks_once_and_lets_others_wait() -> None:
    """The SDK by itself asks ten times, and sleeps as long as it is told to."""
    with running_site() as site:
        site.add("/v1/predictions/p1", Page(b"{}", "application/json", status=503))
        with pytest.raises(ServiceUnavailable, match="it answered 503"):
            ReplicateClient("r8_token", site.address).get("p1")
        assert site.requests == [("GET", "/v1/predictions/p1")]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, ErrorCode.REPLICATE_ACCOUNT),
        (402, ErrorCode.REPLICATE_ACCOUNT),
        (403, ErrorCode.REPLICATE_ACCOUNT),
        (422, ErrorCode.REPLICATE_REFUSED),
    ],
)
def test_a_refusal_is_no_passing_fault(status: int, code: ErrorCode) -> None:
    with running_site() as site:
        said = json.dumps({"title": "No", "detail": "no", "status": status}).encode()
        site.add("/v1/predictions/p1", Page(said, "application/json", status=status))
        with pytest.raises(RequestRefused, match=rf"the request \({status}\): no") as caught:
            ReplicateClient("r8_token", site.address).get("p1")
        assert caught.value.code is code
        assert not caught.value.retryable


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_a_replicate_that_is_busy_is_away(status: int) -> None:
    with running_site() as site:
        site.add("/v1/predictions/p1", Page(b"{}", "application/json", status=status))
        with pytest.raises(ServiceUnavailable) as caught:
            ReplicateClient("r8_token", site.address).get("p1")
        assert caught.value.code is ErrorCode.REPLICATE_UNAVAILABLE
        assert caught.value.retryable
