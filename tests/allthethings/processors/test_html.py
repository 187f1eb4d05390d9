from __future__ import annotations

import pytest

from allthethings.errors import UnusableThing
from allthethings.processors.html import HtmlProcessor
from allthethings.sources.fetch import Download
from allthethings.sources.markup import MAX_TITLE
from tests.allthethings.processors.kinds import tools

PARAGRAPH = "A heron stands in the shallow water and waits for a fish to come within its reach. "
PAGE = f"""<!doctype html><html><head><title>Herons</title></head><body>
<nav><a href="/">Home</a> <a href="/about">About</a></nav>
<article><h1>Herons</h1><p>{PARAGRAPH * 3}</p>
<h2>Nests &amp; young</h2><p>{PARAGRAPH * 3}</p>
<ul><li>{PARAGRAPH}</li><li>{PARAGRAPH}</li></ul></article>
<footer>All rights reserved</footer></body></html>"""
URL = "https://e.example/h"


def test_a_page_becomes_its_main_text_by_headings() -> None:
    content = HtmlProcessor(tools()).read(Download(URL, PAGE.encode(), "utf-8"))
    assert content.title == "Herons"
    assert "Home" not in content.text
    assert "All rights" not in content.text
    headings = [piece.locator.label for piece in content.pieces]
    assert headings[0] in ("Herons", "")
    assert headings[-1] == "Nests & young"
    assert sum(piece.text.count("A heron stands") for piece in content.pieces) == 8


@pytest.mark.parametrize(
    ("head", "dated"),
    [
        ('<meta property="article:published_time" content="2021-05-04T10:00:00Z">', "2021-05-04"),
        ('<meta name="DC.date" content="2021-05"><meta name="date" content="2020">', "2021-05"),
        ('<meta name="citation_publication_date" content="2021/05/04">', "2021-05-04"),
        ('<meta name="date" content="May 4th">', None),
        ("", None),
    ],
)
def test_a_page_tells_its_author_and_date_in_its_head(head: str, dated: str | None) -> None:
    page = PAGE.replace("<head>", f'<head><meta name="author" content="Ada Weaver">{head}')
    page = page.replace("All rights reserved", "Copyright 2019. Updated on 3 March 2020.")
    page = f'<?xml version="1.0" encoding="ISO-8859-1"?>{page}'
    content = HtmlProcessor(tools()).read(Download(URL, page.encode(), "utf-8"))
    assert (content.author, content.dated) == ("Ada Weaver", dated)


def test_what_every_passage_keeps_of_a_page_is_short() -> None:
    page = PAGE.replace("<title>Herons", f"<title>{'Herons ' * 1_000}")
    page = page.replace("Nests &amp; young", "Nests and young " * 10_000)
    content = HtmlProcessor(tools()).read(Download(URL, page.encode(), "utf-8"))
    headings = [piece.locator.label for piece in content.pieces]
    assert headings[-1].startswith("Nests and young Nests")
    assert max(map(len, [*headings, content.title or ""])) == MAX_TITLE


@pytest.mark.parametrize("charset", ["iso-8859-2", None, "no-such-charset", "undefined"])
def test_a_page_in_another_encoding_is_read(charset: str | None) -> None:
    page = PAGE.replace("<head>", '<head><meta charset="iso-8859-2">').replace("heron", "żuraw")
    content = HtmlProcessor(tools()).read(Download(URL, page.encode("iso-8859-2"), charset))
    assert "A żuraw stands" in content.text


@pytest.mark.parametrize(
    "body", [b"", b"\x00\xff\xfe", b"<html></html>", b"<html><body><script>1</script></body>"]
)
def test_a_page_without_text_is_said_in_words(body: bytes) -> None:
    with pytest.raises(UnusableThing, match="No text"):
        HtmlProcessor(tools()).read(Download(URL, body, None))


@pytest.mark.parametrize(
    ("first", "known"),
    [
        (b"<!DOCTYPE html>\n<html>", True),
        (b"\xef\xbb\xbf\n <!-- saved -->\n<HTML lang=en>", True),
        (b"<body class=x>", True),
        (b"<htmlx>", False),
        (b"<?xml version='1.0'?><rss>", False),
        (b"Text about <html>", False),
        (b"<!-- a --> <!-- b --><!DOCTYPE html>", True),
        (b"<!---->" * 146, False),  # in linear time
    ],
)
def test_pages_are_recognised(first: bytes, known: bool) -> None:
    assert HtmlProcessor.sniff(first) == ("text/html" if known else None)


def test_the_title_of_a_page_that_nobody_has_read() -> None:
    assert HtmlProcessor.title(lambda: Download(URL, PAGE.encode(), None)) == "Herons"
