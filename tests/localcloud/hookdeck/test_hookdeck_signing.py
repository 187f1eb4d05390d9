"""What a delivery carries, and where it goes."""

from __future__ import annotations

import pytest

from localcloud.hookdeck.models import Endpoint
from localcloud.hookdeck.signing import climbs, destination_url, forwarded, signature


def destination(url: str) -> Endpoint:
    return Endpoint("des_1", "app", "HTTP", {"url": url}, 0, 0)


@pytest.mark.parametrize(
    ("base", "path", "query", "url"),
    [
        ("http://a/hook", "", "", "http://a/hook"),
        ("http://a/hook", "/7", "", "http://a/hook/7"),
        ("http://a/hook/", "/7", "x=1", "http://a/hook/7?x=1"),
        ("http://a", "", "", "http://a/"),
        ("http://a", "/7/", "", "http://a/7/"),
        ("http://a/hook?k=v", "/7", "x=1&x=2", "http://a/hook/7?k=v&x=1&x=2"),
        ("http://a/hook", "/a%2Fb%20c", "q=%C3%A9", "http://a/hook/a%2Fb%20c?q=%C3%A9"),
    ],
)
def test_path_and_query_are_appended(base: str, path: str, query: str, url: str) -> None:
    assert destination_url(destination(base), path, query) == url


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/../b", True),
        ("/..", True),
        ("/a/%2e%2E/b", True),
        ("/a%2f..%2fb", True),
        ("/a\\..\\b", True),
        ("/.", True),
        ("", False),
        ("/a..b/...", False),
    ],
)
def test_dot_segments(path: str, *, expected: bool) -> None:
    assert climbs(path) is expected


def test_which_headers_are_forwarded() -> None:
    headers = (
        ("Host", "x"),
        ("Connection", "keep-alive, X-Hop"),
        ("x-hop", "1"),
        ("content-length", "2"),
        ("transfer-encoding", "chunked"),
        ("x-hookdeck-verified", "true"),
        ("idempotency-key", "mine"),
        ("Content-Type", "text/plain"),
        ("x-twice", "1"),
        ("x-twice", "2"),
        ("authorization", "Basic x"),
    )
    assert forwarded(headers) == (
        ("Content-Type", "text/plain"),
        ("x-twice", "1"),
        ("x-twice", "2"),
        ("authorization", "Basic x"),
    )


def test_signature_of_bytes_that_are_not_text() -> None:
    # openssl dgst -sha256 -hmac secret -binary | base64
    assert signature("secret", b"\xff\x00") == "9UFEd8vxmV31IIP/e+IZG1afu9poL9XQGmhS8TRdMlQ="
