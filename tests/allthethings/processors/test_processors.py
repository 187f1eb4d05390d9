from __future__ import annotations

import pytest

from allthethings.assets.locators import TimeSpan
from allthethings.errors import UnusableThing
from allthethings.processors import (
    AudioProcessor,
    HtmlProcessor,
    Tools,
    get_asset_processor,
    is_spoken,
    kind_of,
    kinds,
)
from allthethings.replicate.client import ReplicateClient
from allthethings.sources.fetch import Download
from allthethings.sources.markup import MAX_TITLE


def refuse(url: str) -> Download:
    raise UnusableThing(f"these tests download nothing, not even {url}")


TOOLS = Tools(ReplicateClient("token", "http://127.0.0.1:9"), refuse, "http://127.0.0.1:9/e/src")
PARAGRAPH = "A heron stands in the shallow water and waits for a fish to come within its reach. "
PAGE = f"""<!doctype html><html><head><title>Herons</title></head><body>
<nav><a href="/">Home</a> <a href="/about">About</a></nav>
<article><h1>Herons</h1><p>{PARAGRAPH * 3}</p>
<h2>Nests &amp; young</h2><p>{PARAGRAPH * 3}</p>
<ul><li>{PARAGRAPH}</li><li>{PARAGRAPH}</li></ul></article>
<footer>All rights reserved</footer></body></html>"""


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("audio/mpeg", AudioProcessor),
        ("audio/x-wav", AudioProcessor),
        ("application/ogg", AudioProcessor),
        ("text/html", HtmlProcessor),
        ("application/xhtml+xml", HtmlProcessor),
        ("image/png", None),
        ("video/mp4", None),
        ("text/plain", None),
        ("text/html5", None),
        ("", None),
    ],
)
def test_the_content_type_decides(content_type: str, kind: type | None) -> None:
    processor = get_asset_processor(content_type, TOOLS)
    assert (type(processor) if processor else None) is kind


def test_kinds_have_words() -> None:
    assert kinds() == ["audio", "web page"]
    assert kind_of("audio/mpeg") == "audio"
    assert kind_of("image/png") == "image/png"


def test_what_is_spoken() -> None:
    assert is_spoken("audio/mpeg")
    assert not is_spoken("text/html")
    assert not is_spoken("image/png")


def test_a_transcript_becomes_pieces_with_their_times() -> None:
    content = AudioProcessor(TOOLS).read(
        {
            "transcription": "One. Two.",
            "segments": [
                {"start": 0.0, "end": 1.0, "text": " One."},
                {"start": 1.0, "end": 2.0, "text": " Two."},
            ],
        }
    )
    assert content.text == "One. Two."
    assert [(piece.text, piece.locator) for piece in content.pieces] == [
        ("One.", TimeSpan(0.0, 1.0)),
        ("Two.", TimeSpan(1.0, 2.0)),
    ]


def test_a_transcript_without_segments_is_one_piece() -> None:
    content = AudioProcessor(TOOLS).read({"transcription": "One. Two.", "segments": None})
    assert [piece.text for piece in content.pieces] == ["One. Two."]


def test_silence_is_said_in_words() -> None:
    with pytest.raises(UnusableThing, match="No speech"):
        AudioProcessor(TOOLS).read({"transcription": " ", "segments": []})


def test_a_page_becomes_its_main_text_by_headings() -> None:
    content = HtmlProcessor(TOOLS).read(Download("https://e.example/h", PAGE.encode(), "utf-8"))
    assert content.title == "Herons"
    assert "Home" not in content.text
    assert "All rights" not in content.text
    headings = [piece.locator.label for piece in content.pieces]
    assert headings[0] in ("Herons", "")
    assert headings[-1] == "Nests & young"
    assert sum(piece.text.count("A heron stands") for piece in content.pieces) == 8


def test_what_every_passage_keeps_of_a_page_is_short() -> None:
    page = PAGE.replace("<title>Herons", f"<title>{'Herons ' * 1_000}")
    page = page.replace("Nests &amp; young", "Nests and young " * 10_000)
    content = HtmlProcessor(TOOLS).read(Download("https://e.example/h", page.encode(), "utf-8"))
    headings = [piece.locator.label for piece in content.pieces]
    assert headings[-1].startswith("Nests and young Nests")
    assert max(map(len, [*headings, content.title or ""])) == MAX_TITLE


@pytest.mark.parametrize("charset", ["iso-8859-2", None, "no-such-charset", "undefined"])
def test_a_page_in_another_encoding_is_read(charset: str | None) -> None:
    page = PAGE.replace("<head>", '<head><meta charset="iso-8859-2">').replace("heron", "żuraw")
    content = HtmlProcessor(TOOLS).read(
        Download("https://e.example/h", page.encode("iso-8859-2"), charset)
    )
    assert "A żuraw stands" in content.text


@pytest.mark.parametrize(
    "body", [b"", b"\x00\xff\xfe", b"<html></html>", b"<html><body><script>1</script></body>"]
)
def test_a_page_without_text_is_said_in_words(body: bytes) -> None:
    with pytest.raises(UnusableThing, match="No text"):
        HtmlProcessor(TOOLS).read(Download("https://e.example/", body, None))
