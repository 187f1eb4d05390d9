from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allthethings.assets.asset import COMES_FROM, FINISHED, AssetStatus
from allthethings.assets.urls import clean_url, url_key
from allthethings.errors import BadInput

ONE_THING = [
    "https://example.com/a/b?x=1",
    "HTTPS://EXAMPLE.com/a/b?x=1",
    "https://example.com:443/a/b?x=1",
    "https://example.com./a/b?x=1",
    "https://example.com/a/./b?x=1",
    "https://example.com/c/../a/b?x=1",
    "https://example.com/%61/b?x=1",
    "https://example.com/a/b?x=1#t=30",
    "  https://example.com/a/b?x=1\n",
    "https://example.com/a/b?utm_source=letter&x=1&UTM_Medium=mail",
    "https://example.com/a/b?x=1&fbclid=IwAR0&gclid=a&mc_eid=b&mtm_campaign=c",
    "https://example.com/a/b?pk_campaign=c&x=1&PK_kwd=d&piwik_kwd=e",
    "https://example.com/a/b?x=1&%75tm_term=t#utm_term=t",
]


@pytest.mark.parametrize("spelling", ONE_THING)
def test_spellings_of_one_url_have_one_key(spelling: str) -> None:
    assert url_key(clean_url(spelling)) == "https://example.com/a/b?x=1"


@pytest.mark.parametrize(
    "other",
    [
        "http://example.com/a/b?x=1",
        "https://example.com/a/b?x=2",
        "https://example.com/A/b?x=1",
        "https://example.com:8443/a/b?x=1",
        "https://www.example.com/a/b?x=1",
        "https://example.com/a/b?x=1&ref=home",
        "https://example.com/a/b?x=1&id=utm_source",
        "https://example.com/a/b?x=1&pk_id=1",
        "https://example.com/a/b/utm_source=1?x=1",
        "https://example.com/a/b?x=1&&y=",
    ],
)
def test_other_things_have_other_keys(other: str) -> None:
    assert url_key(clean_url(other)) != url_key(ONE_THING[0])


def test_a_url_keeps_what_tracks_and_its_key_does_not() -> None:
    shared = "https://example.com/a?utm_source=letter"
    assert clean_url(shared) == shared
    assert url_key(shared) == "https://example.com/a"


def test_international_names_and_addresses_have_keys() -> None:
    assert url_key(clean_url("https://bücher.example/")) == "https://xn--bcher-kva.example/"
    assert url_key(clean_url("https://straße.example/")) == "https://xn--strae-oqa.example/"
    assert url_key(clean_url("http://0x7f.1:80/x")) == "http://127.0.0.1/x"
    assert url_key(clean_url("http://[::1]:5000/x")) == "http://[::1]:5000/x"
    assert url_key(clean_url("https://example.com")) == "https://example.com/"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "Enter"),
        ("   ", "Enter"),
        ("not a url", "spaces"),
        ("example.com/talk.mp3", "should look like"),
        ("https://", "should look like"),
        ("ftp://example.com/a.mp3", "ftp"),
        ("file:///etc/passwd", "file"),
        ("javascript:alert(1)", "should look like"),
        ("http://example.com:99999/", "not a URL"),
        ("http://[::1/", "not a URL"),
        ("http://example.com/" + "a" * 2000, "longer"),
        ("http://a..b/", "host in the URL is not valid"),
        ("http://bü cher.de/", "spaces"),
        ("http://1.2.3.4.5/", "IPv4 address in the URL is not valid"),
        ("http://exa\x00mple.com/", "control"),
    ],
)
def test_what_is_no_url_is_refused_in_words(text: str, word: str) -> None:
    with pytest.raises(BadInput, match=word):
        clean_url(text)


@given(st.text(max_size=80) | st.text(max_size=80).map("http://".__add__))
def test_any_text_is_a_key_or_bad_input(text: str) -> None:
    try:
        key = url_key(clean_url(text))
    except BadInput:
        return
    assert url_key(key) == key


def test_no_status_is_reached_from_a_finished_one() -> None:
    for comes_from in COMES_FROM.values():
        assert not comes_from & FINISHED
    assert set(COMES_FROM) == set(AssetStatus) - {AssetStatus.SUBMITTED}
