"""https: the name in the URL is asked for and proven, though an address is connected to."""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
from collections.abc import Callable, Iterator

import pytest
import trustme

from guardedfetch import Fetcher, InsecureServer, Limits, TooSlow, Unreachable, parse_allow
from tools.harness.servers import Script, Server, answer, serving

AUTHORITY = trustme.CA()
NAME = "secure.example"


@pytest.fixture
def fetcher() -> Fetcher:
    """Trusts the authority of these tests; every name leads to 127.0.0.1."""
    trusting = ssl.create_default_context()
    AUTHORITY.configure_trust(trusting)
    return Fetcher(
        parse_allow(f"{NAME}, 127.0.0.1"),
        Limits(deadline=1.0),
        resolve=lambda _host, _port: ["127.0.0.1"],
        ssl_context=trusting,
    )


@contextlib.contextmanager
def tls_server(certificate: trustme.LeafCert, names: list[str | None]) -> Iterator[Server]:
    """Answers 'secret' over TLS; `names` takes those that clients ask for by SNI."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with serving(answer(b"secret"), tls=context) as server:
        yield server


def url(server: Server, host: str = NAME) -> str:
    return server.url(host=host).replace("http:", "https:")


def test_the_name_is_asked_for_and_proven(fetcher: Fetcher) -> None:
    names: list[str | None] = []
    with tls_server(AUTHORITY.issue_cert(NAME), names) as server:
        assert fetcher.get(url(server)).body == b"secret"
        assert f"Host: {NAME}:{server.port}\r\n".encode() in server.requests[0]
    assert names == [NAME]


def test_an_address_is_proven_too(fetcher: Fetcher) -> None:
    names: list[str | None] = []
    with tls_server(AUTHORITY.issue_cert("127.0.0.1"), names) as server:
        assert fetcher.get(url(server, "127.0.0.1")).body == b"secret"
    assert names == [None]


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        (lambda: AUTHORITY.issue_cert("other.example"), "Hostname mismatch"),
        (lambda: AUTHORITY.issue_cert("127.0.0.1"), "Hostname mismatch"),
        (lambda: trustme.CA().issue_cert(NAME), "unable to get local issuer certificate"),
        (
            lambda: AUTHORITY.issue_cert(
                NAME, not_after=datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
            ),
            "certificate has expired",
        ),
    ],
    ids=["another name", "the address alone", "an unknown authority", "expired"],
)
def test_a_wrong_certificate_is_told_in_words(
    certificate: Callable[[], trustme.LeafCert], words: str, fetcher: Fetcher
) -> None:
    with (
        tls_server(certificate(), []) as server,
        pytest.raises(InsecureServer, match=f"certificate of {NAME} is not valid: .*{words}") as e,
    ):
        fetcher.get(url(server))
    assert e.value.permanent
    assert not server.requests


def test_the_authorities_of_the_world_are_the_default() -> None:
    fetcher = Fetcher(parse_allow(NAME), resolve=lambda _host, _port: ["127.0.0.1"])
    with (
        tls_server(AUTHORITY.issue_cert(NAME), []) as server,
        pytest.raises(InsecureServer, match="is not valid"),
    ):
        fetcher.get(url(server))


def test_a_server_without_tls(fetcher: Fetcher, serve: Callable[[Script], Server]) -> None:
    server = serve(answer(b""))
    with pytest.raises(InsecureServer, match=f"{NAME} does not speak TLS"):
        fetcher.get(url(server))


def test_a_handshake_that_stalls(fetcher: Fetcher, serve: Callable[[Script], Server]) -> None:
    def stall(_connection: socket.socket, _hello: bytes) -> None:
        server.stopping.wait(10)

    server = serve(stall)
    with pytest.raises(TooSlow, match="The server did not answer within 1 s"):
        fetcher.get(url(server))


def test_a_server_that_hangs_up_on_the_handshake(fetcher: Fetcher) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # no certificate: it can only fail
    with (
        serving(answer(b""), tls=context) as server,
        pytest.raises((InsecureServer, Unreachable)),
    ):
        fetcher.get(url(server))
