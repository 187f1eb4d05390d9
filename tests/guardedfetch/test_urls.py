from __future__ import annotations

import contextlib
import ssl
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardedfetch import AddressRefused, BadUrl, Fetcher, FetchError
from guardedfetch.urls import join_url, parse_url


@pytest.mark.parametrize(
    ("text", "url", "host", "port"),
    [
        ("http://example.com", "http://example.com", "example.com", 80),
        ("  HTTPS://Example.COM:443/a?b=c#d ", "https://example.com/a?b=c", "example.com", 443),
        ("http://example.com./", "http://example.com/", "example.com", 80),
        ("http://example.com:/", "http://example.com/", "example.com", 80),
        (
            "http://bücher.example/ü b",
            "http://xn--bcher-kva.example/%C3%BC%20b",
            "xn--bcher-kva.example",
            80,
        ),
        ("http://134744072:8080/", "http://8.8.8.8:8080/", "8.8.8.8", 8080),
        ("http://[2606:4700::0:1]:81", "http://[2606:4700::1]:81", "2606:4700::1", 81),
        ("http://under_score.example", "http://under_score.example", "under_score.example", 80),
        (
            "https://example.com?q=http://a@b",
            "https://example.com?q=http://a@b",
            "example.com",
            443,
        ),
    ],
)
def test_read(text: str, url: str, host: str, port: int) -> None:
    target = parse_url(text)
    assert str(target.url) == url
    assert target.host == host
    assert target.port == port


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "hello", "//example.com", "/path", "http:", "http://", "http:///path", "http:/a",
        "ftp://example.com", "file:///etc/passwd", "gopher://127.0.0.1:70/", "javascript:alert(1)",
        "data:text/html,x", "http+unix://%2Fvar%2Frun/", "http://user@example.com/",
        "http://user:pw@example.com/", "http://@example.com", "http://a.example\\@b.example/",
        "http://a.example\\b", "http://a:0/", "http://a:65536/", "http://a:-1/", "http://a:b/",
        "http://a:80:80/", "http://a b/", "http://a\nb/", "http://a/\nb", "http://a..b/",
        "http://.a/", "http://a../", "http://[::1/", "http://::1/", "http://[]/", "http://[1]/",
        "http://1.2.3.4.5/", "http://256.1.1.1/", "http://a.0x/", "http://a.1/", "http://%61/",
        "http://a\0b/", "http://\ud800/", "http://a/\ud800", f"http://{'a' * 64}.example/",
        f"http://{'a.' * 130}example/", "http://a/" + "b" * 9000, "http://a:٣/", "http://*/",
    ],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(BadUrl) as caught:
        parse_url(text)
    assert caught.value.permanent
    assert str(caught.value)


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/b", "http://a.example:8080/b"),
        ("?c", "http://a.example:8080/x/y?c"),
        ("../z", "http://a.example:8080/z"),
        ("//b.example/", "http://b.example/"),
        ("HTTPS://b.example", "https://b.example"),
        ("#there", "http://a.example:8080/x/y"),
    ],
)
def test_location(location: str, url: str) -> None:
    assert str(join_url(parse_url("http://a.example:8080/x/y"), location).url) == url


# Reading the authorities takes longer than everything else in these tests.
NO_CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

_hosts = st.one_of(
    st.text(max_size=20),
    st.text(string.hexdigits + ".x:[]%", max_size=30),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
    st.from_regex(r"\[[0-9a-f:.%]{0,30}\]", fullmatch=True),
    st.from_regex(r"(0x)?[0-9a-f]{1,12}(\.(0x)?[0-9a-f]{0,4}){0,4}", fullmatch=True),
)
_urls = st.one_of(
    st.text(),
    st.builds(
        "{}{}{}{}".format,
        st.sampled_from(["http://", "https://", "HTTP://", "http:", "//", "http:\\\\", "ftp://"]),
        _hosts,
        st.one_of(st.just(""), st.integers(-5, 70000).map(":{}".format)),
        st.one_of(st.just(""), st.text(max_size=20).map("/{}".format), st.text(max_size=20)),
    ),
)


@settings(deadline=None)
@given(_urls)
def test_no_url_makes_anything_but_a_fetch_error(url: str) -> None:
    fetcher = Fetcher(resolve=lambda _host, _port: ["127.0.0.1"], ssl_context=NO_CONTEXT)
    try:
        target = parse_url(url)
    except BadUrl:
        with pytest.raises(BadUrl):
            fetcher.get(url)
        return
    assert parse_url(str(target.url)) == target
    if target.host[0].isdigit() or ":" in target.host:
        return  # it may be a public address, which no test connects to
    with pytest.raises(AddressRefused):
        fetcher.get(url)


@settings(deadline=None)
@given(_urls)
def test_no_location_makes_anything_but_a_fetch_error(location: str) -> None:
    with contextlib.suppress(FetchError):
        join_url(parse_url("http://a.example/x"), location)
