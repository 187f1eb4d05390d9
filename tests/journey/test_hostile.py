"""Servers that mean harm, met by a whole copy: what a person reads, and that all goes on.

This copy may ask one port of this machine, where the hostile servers are, and no other.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
from lxml import html

from allthethings.errors import TRY_LATER
from allthethings.web.advice import ADVICE
from tests.guardedfetch.forms import FORMS
from tests.support.copies import CURRENT
from tools.harness.cloud import Cloud, running_cloud
from tools.harness.hostile import HOSTILE, at_every_stage, slug
from tools.harness.person import Person
from tools.harness.servers import Server, answer, canary_on_loopback, serving
from tools.harness.waiting import wait_for

NAMES = [*HOSTILE, "redirect loop"]
# What some of them must be told apart by.
WORDS = {
    "never answers": "did not answer within",
    "header dribble": "did not answer within",
    "status line dribble": "did not answer within",
    "interim answers for ever": "did not answer within",
    "flood of interim answers": "more than 64 KiB of headers",
    "200 kB of headers": "more than 64 KiB of headers",
    "one header of 200 kB": "more than 64 KiB of headers",
    "endless header": "more than 64 KiB of headers",
    "two Content-Types": "two different Content-Types",
    "redirect loop": "More than 3 redirects",
    "hangs up": "closed the connection too early",
}
WORDS_OF_BODIES = WORDS | {
    "body dribble": "did not send everything within",
    "chunk dribble": "did not send everything within",
    "endless body": "larger than 6 MiB",
    "endless chunks": "larger than 6 MiB",
    "gzip bomb": "larger than 6 MiB",
    "deflate bomb": "larger than 6 MiB",
    "a huge announced length": "larger than 6 MiB",
    "hangs up in its body": "closed the connection too early",
}
WORDS_OF_RECORDINGS = WORDS | {
    "never answers": "too little came within 30 s",
    "header dribble": "too little came within 30 s",
    "status line dribble": "too little came within 30 s",
    "interim answers for ever": "The server",  # as fast as it is: too slow, or too much
    "body dribble": "too little came within 30 s",
    "endless body": "larger than 1907 MiB",
    "gzip bomb": "larger than 1907 MiB",
    "hangs up in its body": "closed the connection too early",
    "false gzip": "damaged compressed content",
}
# It tells no type and begins like a plain text, so it is refused only when it is read.
TAKEN_FOR_TEXT = ("endless chunks of one byte",)
REFUSED_AT_ONCE = [name for name in NAMES if name not in TAKEN_FOR_TEXT]
AT_ONCE = 12


@pytest.fixture(scope="module")
def canary() -> Iterator[Server]:
    with canary_on_loopback() as server:
        yield server


@pytest.fixture(scope="module")
def hostile(canary: Server) -> Iterator[Server]:
    stopping = threading.Event()
    lists = playlists_of(canary.url("/a.mp3"))
    scripts = {name: answer(text.encode()) for name, text in lists.items()}
    with serving(at_every_stage(stopping, scripts)) as server:
        yield server
        stopping.set()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, hostile: Server) -> Iterator[Cloud]:
    env = {**CURRENT, "FETCH_ALLOW": f"127.0.0.1:{hostile.port}", "RECONCILE_AFTER": "5"}
    with running_cloud(tmp_path_factory.mktemp("cloud") / "var", env) as cloud:
        yield cloud


@pytest.fixture(scope="module", autouse=True)
def still_served(person: Person, cloud: Cloud) -> Iterator[None]:
    """A page of the copy's own is there before, is found after, and every part is well."""
    page = f"{cloud.address}/examples/mangroves.html"
    person.index(page)
    processes = {part: cloud.pids_of(part) for part in ("-m serve", "localcloud.replicate", "cog")}
    yield
    assert person.http.get("/healthz").status_code == 200
    assert person.search("trees that stand in salt water")[0]["url"] == page
    for part, pids in processes.items():
        assert cloud.pids_of(part) == pids


def playlists_of(url: str) -> dict[str, str]:
    """Files that make a player open the URL."""
    return {
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}\n#EXT-X-ENDLIST\n",
        "m3u": f"#EXTM3U\n{url}\n",
        "pls": f"[playlist]\nFile1={url}\nNumberOfEntries=1\nVersion=2\n",
        "concat": f"ffconcat version 1.0\nfile '{url}'\n",
        "dash": f"<MPD><Period><AdaptationSet><Representation><BaseURL>{url}</BaseURL>"
        "</Representation></AdaptationSet></Period></MPD>",
        "sdp": "v=0\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n",
    }


def alert(page: str) -> str:
    """What the page tells the person went wrong."""
    (told,) = html.document_fromstring(page).xpath("//*[@role='alert']")
    return str(told.text_content()).strip()


def reason_of(refusal: str) -> str:
    """A refusal without what a person can do about it, with which each ends."""
    endings = [words for words in (TRY_LATER, *ADVICE.values()) if refusal.endswith(words)]
    return refusal.removesuffix(max(endings, key=len)).strip()


def failed(asset: dict[str, Any]) -> bool:
    """Whether it failed for good, or, where trying again can help, waits for that."""
    if asset["retryable"]:
        return bool(asset["status"] == "SUBMITTED" and asset["attempt"] > 1)
    return bool(asset["status"] == "PROCESSING_ERROR")


def is_a_sentence(text: str) -> bool:
    """Whether a person can read it: words, no names of classes or files."""
    return bool(re.fullmatch(r"[A-Z][^<>{}\[\]_]{14,200}\.", text, re.DOTALL))


@pytest.fixture(scope="module")
def refusals(person: Person, hostile: Server) -> dict[str, str]:
    """What a person is told of each server that is hostile from the first request."""
    urls = [hostile.url(f"/look/{slug(name)}") for name in REFUSED_AT_ONCE]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        alerts = map(alert, pool.map(person.refused, urls))
        return dict(zip(REFUSED_AT_ONCE, alerts, strict=True))


@pytest.fixture(scope="module")
def failures(person: Person, hostile: Server) -> dict[str, dict[str, Any]]:
    """What becomes of things whose servers are hostile when the page is asked for."""
    urls = [hostile.url(f"/page/{slug(name)}") for name in NAMES]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        things = list(pool.map(person.submit, urls))
        return dict(zip(NAMES, pool.map(person.judged, things), strict=True))


@pytest.mark.parametrize("name", REFUSED_AT_ONCE)
def test_hostile_from_the_first_request(refusals: dict[str, str], name: str) -> None:
    reason = reason_of(refusals[name])
    assert is_a_sentence(reason)
    assert WORDS.get(name, "The") in reason


@pytest.mark.parametrize("name", TAKEN_FOR_TEXT)
def test_hostile_in_what_is_taken_for_text(person: Person, hostile: Server, name: str) -> None:
    asset = person.judged(person.submit(hostile.url(f"/look/{slug(name)}")))
    assert failed(asset)
    assert is_a_sentence(asset["error"])


@pytest.mark.parametrize("name", NAMES)
def test_hostile_when_the_page_is_asked_for(failures: dict[str, dict[str, Any]], name: str) -> None:
    asset = failures[name]
    assert failed(asset)
    assert is_a_sentence(asset["error"])
    assert WORDS_OF_BODIES.get(name, "The") in asset["error"]


@pytest.mark.slow(
    "ten seconds for each way to be slow; tests/allthethings/sources/test_fetch.py has them quick"
)
@pytest.mark.parametrize("name", ["body dribble", "never answers", "header dribble"])
def test_slow_at_each_request(person: Person, hostile: Server, name: str) -> None:
    asset = person.judged(person.submit(hostile.url(f"/late/{slug(name)}")))
    assert failed(asset)
    assert asset["history"][1]["error"] == "The server took too long over all requests."


@pytest.mark.slow(
    "downloads that dribble are given up after 30 s; tests/localcloud/replicate/test_inputs.py"
    " gives up sooner"
)
def test_hostile_when_the_model_asks(person: Person, hostile: Server, cloud: Cloud) -> None:
    """All at once, so that those that dribble do it side by side; an honest one comes last."""
    urls = {name: hostile.url(f"/sound/{slug(name)}") for name in NAMES}
    submitted = {name: person.submit(url) for name, url in urls.items()}
    honest = person.submit(f"{cloud.address}/examples/tea.mp3")
    for name, asset_id in submitted.items():
        asset = person.judged(asset_id)
        assert failed(asset), name
        assert WORDS_OF_RECORDINGS.get(name, "") in asset["error"]
        assert asset["error"].startswith("could not download http://127.0.0.1:")
    assert person.finished(honest)["status"] == "SEARCHABLE"
    inputs = cloud.data_dir / "replicate" / "inputs"
    wait_for(lambda: not any(inputs.iterdir()), "the downloaded files are gone")


@pytest.mark.slow("twenty things more of what the tests above submit")
def test_twenty_at_once(person: Person, hostile: Server) -> None:
    names = ["header dribble", "endless body", "never answers", "gzip bomb", "body dribble"] * 4

    def submit(number: int) -> dict[str, Any]:
        url = hostile.url(f"/page/{slug(names[number])}?{number}")
        return person.judged(person.submit(url))

    with ThreadPoolExecutor(len(names)) as pool:
        ended = list(pool.map(submit, range(len(names))))
    assert all(map(failed, ended))
    assert all(is_a_sentence(asset["error"]) for asset in ended)


PRIVATE = re.compile(
    "not a public address|is not valid|is not a URL|not fetched|no spaces or control|password"
)


def test_no_form_of_a_private_address_is_reached(
    person: Person, hostile: Server, canary: Server
) -> None:
    """Asked for outright, behind a redirect, and by the model behind a redirect."""
    private = [f"http://{form}:{canary.port}/" for form in FORMS]
    for url in private:
        assert PRIVATE.search(alert(person.refused(url)))
        redirect = hostile.url(f"/redirect?{quote(url, safe='')}")
        assert PRIVATE.search(alert(person.refused(redirect)))
    redirects = [hostile.url(f"/sound-redirect?{quote(url, safe='')}") for url in private]
    for thing in [person.submit(redirect) for redirect in redirects]:
        asset = person.finished(thing)
        assert asset["status"] == "PROCESSING_ERROR"
        assert PRIVATE.search(asset["error"])
    assert canary.connections == 0


def test_a_playlist_leads_nowhere(person: Person, hostile: Server, canary: Server) -> None:
    for name in playlists_of(""):
        asset = person.finished(person.submit(hostile.url(f"/sound/{name}")))
        assert asset["status"] == "PROCESSING_ERROR"
        assert "could not be decoded as audio" in asset["error"]
    assert canary.connections == 0
