"""Tags of recordings, read from a server through ranged requests. FFmpeg's libraries, which come
with faster-whisper, make the files."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import av
import numpy
import pytest

from allthethings.assets.facts import Facts
from allthethings.processors.tags import HEAD, MAX_PARTS, tags_of
from allthethings.sources.fetch import Part, part
from guardedfetch import Fetcher, parse_allow
from tools.harness.site import Page, Site, running_site

RATE = 48_000
TOLD = {
    "title": "Why bees dance",
    "artist": "Ada Weaver",
    "date": "2021-05-04",
}
FACTS = ("Why bees dance", "Ada Weaver", "2021-05-04")

Tagged = Callable[..., Facts]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running_site() as site:
        yield site


@pytest.fixture
def tagged(site: Site) -> Tagged:
    """What the tags of a file tell that a site serves."""
    fetcher = Fetcher(parse_allow(site.address.removeprefix("http://")))

    def read(body: bytes, **how: bool) -> Facts:
        url = site.add("/talk", Page(body, "audio/x", **how))  # type: ignore[arg-type]
        site.requests.clear()
        return tags_of(partial(part, fetcher, url))

    return read


def recording(
    container: str, codec: str, seconds: float = 1.0, told: Mapping[str, str] = TOLD
) -> bytes:
    """A noise, which no codec makes small."""
    file = io.BytesIO()
    noise = numpy.random.default_rng(7).integers(-9_000, 9_000, int(RATE * seconds), numpy.int16)
    with av.open(file, "w", container) as output:
        output.metadata.update(told)
        stream = output.add_stream(codec, rate=RATE, layout="mono")
        assert isinstance(stream, av.AudioStream)
        for start in range(0, noise.size, 960):
            frame = av.AudioFrame.from_ndarray(noise[None, start : start + 960], "s16", "mono")
            frame.sample_rate, frame.pts = RATE, start
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize(
    ("container", "codec"),
    [("mp3", "mp3"), ("ipod", "aac"), ("flac", "flac"), ("ogg", "libopus"), ("mp4", "aac")],
)
def test_a_recording_tells_its_title_author_date_and_length(
    tagged: Tagged, container: str, codec: str
) -> None:
    facts = tagged(recording(container, codec))
    assert (facts.title, facts.author, facts.dated) == FACTS
    assert facts.duration == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("container", ["wav", "aiff"])
def test_a_recording_without_compression_tells_its_title(tagged: Tagged, container: str) -> None:
    codec = "pcm_s16be" if container == "aiff" else "pcm_s16le"
    facts = tagged(recording(container, codec))
    assert (facts.title, facts.duration) == ("Why bees dance", 1.0)


def test_tags_at_the_end_of_a_long_mp4_are_found_in_a_few_parts(tagged: Tagged, site: Site) -> None:
    body = recording("mp4", "aac", 45)
    assert body.find(b"moov") > 2 * HEAD
    facts = tagged(body)
    assert (facts.title, facts.author, facts.dated) == FACTS
    assert facts.duration == pytest.approx(45, abs=0.1)
    assert len(site.requests) <= 3


def test_tags_behind_a_large_picture_are_found(tagged: Tagged, site: Site) -> None:
    picture = _frame(b"APIC", b"\0image/png\0\3\0" + bytes(5 * HEAD))
    frames = picture + _frame(b"TIT2", b"\1" + "Wie Bienen tanzen".encode("utf-16"))
    body = b"ID3\3\0\0" + _synchsafe(len(frames)) + frames + recording("mp3", "mp3", told={})
    facts = tagged(body)
    assert facts.title == "Wie Bienen tanzen"
    assert facts.duration == pytest.approx(1.0, abs=0.1)
    assert len(site.requests) <= 4


@pytest.mark.parametrize(("container", "codec"), [("mp3", "mp3"), ("flac", "flac")])
def test_a_recording_tells_its_language(tagged: Tagged, container: str, codec: str) -> None:
    assert tagged(recording(container, codec, 0.1, {"language": "ger"})).language == "de"
    assert tagged(recording(container, codec, 0.1, {"language": "music"})).language is None
    assert tagged(recording(container, codec, 0.1, {"language": "und"})).language is None


def test_old_tags_at_the_end_of_an_mp3_are_found(tagged: Tagged) -> None:
    old = b"TAG" + b"Tea".ljust(30) + b"Ada".ljust(30) + bytes(30) + b"1999" + bytes(31)
    facts = tagged(recording("mp3", "mp3", 20, {}) + old)
    assert (facts.title, facts.author, facts.dated) == ("Tea", "Ada", "1999")


def test_a_long_ogg_tells_no_length_rather_than_a_wrong_one(tagged: Tagged, site: Site) -> None:
    body = recording("ogg", "libopus", 45)
    assert len(body) > 2 * HEAD
    assert tagged(body) == Facts(*FACTS)
    assert len(site.requests) == 1


def test_a_server_without_ranges_is_asked_once(tagged: Tagged, site: Site) -> None:
    assert tagged(recording("mp3", "mp3"), ranges=False).title == "Why bees dance"
    assert tagged(recording("mp4", "aac", 45), ranges=False) == Facts()
    assert len(site.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"ID3",
        b"ID3\3\0\0\x7f\x7f\x7f\x7f" + bytes(100),
        b"\xff\xfb" * 500_000,
        b"OggS" + b"\0" * 1_000,
        b"fLaC" + b"\xff" * 1_000,
        b"RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\xff",
        b"\0\0\0\x18ftypM4A \0\0\0\0" + b"\0\0\0\x08moov" * 200_000,
        b"<html>Not a recording.</html>",
        bytes(range(256)) * 4_000,
    ],
    ids=lambda body: f"{body[:8]!r}",
)
def test_a_broken_file_tells_nothing_and_costs_little(
    tagged: Tagged, site: Site, body: bytes
) -> None:
    facts = tagged(body)
    assert (facts.title, facts.author, facts.dated) == (None, None, None)
    assert len(site.requests) <= 1 + MAX_PARTS


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("talk.mp3", "talk"),
        ("  Why \n bees  ", "Why bees"),
        ("Untitled", None),
        ("Track 01", None),
        ("x" * 1_000, "x" * 300),
    ],
)
def test_a_title_is_one_that_a_person_wrote(tagged: Tagged, title: str, shown: str | None) -> None:
    assert tagged(recording("mp3", "mp3", 0.1, {"title": title})).title == shown


@pytest.mark.parametrize(
    ("date", "shown"),
    [
        ("2021", "2021"),
        ("2021-05", "2021-05"),
        ("2021-05-04T10:11:12Z", "2021-05-04"),
        ("2021-00-00", "2021"),
        ("0000", None),
        ("in May", None),
    ],
)
def test_a_date_is_one_of_the_calendar(tagged: Tagged, date: str, shown: str | None) -> None:
    told = {"title": "T", "date": date}
    assert tagged(recording("flac", "flac", 0.1, told)).dated == shown


def test_a_server_that_sends_other_bytes_than_asked_for_is_not_believed() -> None:
    body = recording("mp4", "aac", 45)
    asked: list[int] = []

    def look(start: int, count: int) -> Part:
        asked.append(start)
        return Part(body[:count] if not start else bytes(count), len(body), partial=True)

    assert tags_of(look) == Facts()
    assert len(asked) <= 1 + MAX_PARTS


def _frame(name: bytes, content: bytes) -> bytes:
    return name + struct.pack(">I", len(content)) + b"\0\0" + content


def _synchsafe(size: int) -> bytes:
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
