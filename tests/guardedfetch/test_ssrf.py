"""No spelling of a private address is connected to: direct, behind a redirect, or by DNS."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

import pytest

from guardedfetch import (
    AddressRefused,
    BadUrl,
    Fetcher,
    FetchError,
    Limits,
    LookupFailed,
    Resolver,
    parse_allow,
)
from guardedfetch.urls import canonical_host
from tests.guardedfetch.forms import FORMS, NO_RECORD
from tools.harness.servers import Script, Server, answer, redirect_to_query, serving

# Reading the authorities takes longer than everything else in these tests.
NO_CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@pytest.fixture(scope="module")
def redirector() -> Iterator[Server]:
    with serving(redirect_to_query) as server:
        yield server


def test_there_are_sixty_forms_and_more() -> None:
    assert len(set(FORMS)) == len(FORMS) >= 60


def test_the_answers_of_name_servers_are_addresses() -> None:
    addresses = [in_records(form) for form in FORMS if form not in NO_RECORD]
    assert all(ipaddress.ip_address(address) for address in addresses)
    assert len(addresses) >= 60
    assert addresses.count("127.0.0.1") >= 20


@pytest.mark.parametrize("form", FORMS)
def test_direct(form: str, canary: Server, connects: list[Any]) -> None:
    before = canary.connections
    with pytest.raises((AddressRefused, BadUrl)):
        Fetcher(ssl_context=NO_CONTEXT).get(f"http://{form}:{canary.port}/")
    assert not connects
    assert canary.connections == before


@pytest.mark.parametrize("form", FORMS)
def test_behind_a_redirect(
    form: str, canary: Server, redirector: Server, connects: list[Any]
) -> None:
    before = canary.connections
    fetcher = Fetcher(parse_allow(f"127.0.0.1:{redirector.port}"), ssl_context=NO_CONTEXT)
    with pytest.raises((AddressRefused, BadUrl)):
        fetcher.get(redirector.url("/?" + quote(f"http://{form}:{canary.port}/", safe="")))
    assert connects == [("127.0.0.1", redirector.port)]
    assert canary.connections == before


def in_records(form: str) -> str:
    """The address as an A or AAAA record would hold it."""
    try:
        host = canonical_host(form)
    except BadUrl:  # no record holds this: it is taken as it is
        return form.strip("[]")
    return "127.0.0.1" if host == "localhost" else host


def telling(addresses: Sequence[str]) -> Resolver:
    return lambda _host, _port: addresses


@pytest.mark.parametrize("form", FORMS)
def test_as_a_dns_answer(form: str, canary: Server, connects: list[Any]) -> None:
    """As a record holds it and as it is spelled, alone and after public addresses: one bad
    address spoils the name."""
    before = canary.connections
    for address in (in_records(form), form.strip("[]")):
        for others in ([], ["2606:4700:4700::1111", "8.8.8.8"]):
            fetcher = Fetcher(resolve=telling([*others, address]), ssl_context=NO_CONTEXT)
            with pytest.raises((AddressRefused, LookupFailed)):
                fetcher.get(f"http://rebound.example:{canary.port}/")
    assert not connects
    assert canary.connections == before


def test_the_canary_sings(canary: Server, connects: list[Any]) -> None:
    before = canary.connections
    assert Fetcher(parse_allow("127.0.0.1")).get(canary.url()).body == b"secret"
    assert canary.connections == before + 1
    assert connects == [("127.0.0.1", canary.port)]


def test_a_refused_address_is_told_in_words() -> None:
    fetcher = Fetcher(resolve=lambda _host, _port: ["10.0.0.5"])
    with pytest.raises(AddressRefused) as caught:
        fetcher.head("http://example.internal/")
    assert str(caught.value).startswith(
        "example.internal points to 10.0.0.5, which is not a public address"
    )
    assert "FETCH_ALLOW" in str(caught.value)
    assert caught.value.permanent


def test_a_name_is_looked_up_once_for_one_request(serve: Callable[[Script], Server]) -> None:
    answers = iter([["127.0.0.1"], ["127.0.0.2"]])
    server = serve(answer(b"checked"))
    fetcher = Fetcher(
        parse_allow(f"rebound.example:{server.port}"), resolve=lambda _host, _port: next(answers)
    )
    assert fetcher.get(server.url(host="rebound.example")).body == b"checked"
    assert next(answers) == ["127.0.0.2"]


def test_each_redirect_is_looked_up_and_judged_anew(
    canary: Server, serve: Callable[[Script], Server]
) -> None:
    before = canary.connections
    server = serve(redirect_to_query)
    asked: list[tuple[str, int]] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    fetcher = Fetcher(parse_allow(f"rebound.example:{server.port}"), resolve=resolve)
    with pytest.raises(AddressRefused):
        fetcher.get(server.url(f"/?http://rebound.example:{canary.port}/", "rebound.example"))
    assert asked == [("rebound.example", server.port), ("rebound.example", canary.port)]
    assert canary.connections == before


@pytest.mark.parametrize(
    "name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"]
)
def test_the_environments_proxy_is_not_used(
    name: str,
    canary: Server,
    serve: Callable[[Script], Server],
    monkeypatch: pytest.MonkeyPatch,
    connects: list[Any],
) -> None:
    monkeypatch.setenv(name, canary.url())
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    server = serve(redirect_to_query)
    fetcher = Fetcher(parse_allow("127.0.0.1"), Limits(deadline=2.0))
    with pytest.raises(FetchError):
        fetcher.get(server.url("/?https://0.0.0.0/"))
    assert connects == [("127.0.0.1", server.port)]
