from __future__ import annotations

import pytest

from allthethings.assets.locators import WHOLE, Heading
from allthethings.errors import UnusableThing
from allthethings.processors.processor import Content
from allthethings.processors.text import TextProcessor
from allthethings.sources.fetch import Download
from allthethings.sources.markup import MAX_TITLE
from tests.allthethings.processors.kinds import tools

MARKDOWN = """---
tags: [not words of the text]
---
Before any heading, with a [link](https://x.test/a_b "and title") and an ![image](x.png).

The *First* heading
===================

A paragraph that goes
on in **another** line, with `code` and snake_case_names.

## Lists & quotes ##

- one *item*
- [x] another
1. a third

> Quoted words
> on two lines.

```python
# no heading
```

| a | b |
|---|---|
| c | d |

***

#hashtag, and 2 \\* 3

[ref]: https://x.test/
<!-- nothing --><b>bold</b>
"""


def read(
    body: str | bytes, charset: str | None = None, content_type: str = "", url: str = "/notes"
) -> Content:
    encoded = body.encode() if isinstance(body, str) else body
    document = Download(f"https://e.example{url}", encoded, charset, content_type)
    return TextProcessor(tools()).read(document)


def test_a_plain_text_becomes_paragraphs() -> None:
    content = read("One\nline.\r\n\r\n \n# Two, no heading.\n", content_type="text/plain")
    assert [(piece.text, piece.locator) for piece in content.pieces] == [
        ("One line.", WHOLE),
        ("# Two, no heading.", WHOLE),
    ]
    assert (content.text, content.title) == ("One line.\n\n# Two, no heading.", None)


@pytest.mark.parametrize(
    ("content_type", "url"),
    [
        ("text/markdown", "/notes"),
        ("text/x-markdown", "/notes"),
        ("text/plain", "/README.md?raw=1"),
        ("application/octet-stream", "/notes.Markdown"),
    ],
)
def test_markdown_becomes_words_under_headings(content_type: str, url: str) -> None:
    content = read(MARKDOWN, content_type=content_type, url=url)
    first, lists = Heading("The First heading"), Heading("Lists & quotes")
    assert [(piece.text, piece.locator) for piece in content.pieces] == [
        ("Before any heading, with a link and an image.", WHOLE),
        ("A paragraph that goes on in another line, with code and snake_case_names.", first),
        ("one item", lists),
        ("another", lists),
        ("a third", lists),
        ("Quoted words on two lines.", lists),
        ("# no heading", lists),
        ("a | b", lists),
        ("c | d", lists),
        ("#hashtag, and 2 * 3", lists),
        ("bold", lists),
    ]
    assert content.title == "The First heading"


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        (
            "---\ntitle: 'Bees:  a year'\nauthor: Ola\ndate: 2025-03-09 10:00:00 +0100\n---",
            ("Bees: a year", "Ola", "2025-03-09"),
        ),
        (
            '+++\ntitle = "Bees"\nauthors = ["Ola", "Ida"]\ndate = 2025-03-09T10:00:00Z\n+++',
            ("Bees", "Ola, Ida", "2025-03-09"),
        ),
        ("---\ntitle: [7]\ndate: soon\n---", ("7", None, None)),
        ("---\ntitle: {a: b}\n---", ("Spring", None, None)),
        ("---\n- a\n- b\n---", ("Spring", None, None)),
        ("---\ntitle: 'open\n---", ("Spring", None, None)),
        ("+++\ntitle = open\n+++", ("Spring", None, None)),
        (f"---\n{'[' * 9_000}\n---", ("Spring", None, None)),
    ],
)
def test_metadata_before_markdown_tell_of_it(
    metadata: str, told: tuple[str | None, str | None, str | None]
) -> None:
    content = read(f"{metadata}\n# Spring\n\nFeed syrup.\n", content_type="text/markdown")
    assert (content.title, content.author, content.dated) == told
    assert content.text == "Feed syrup."


def test_headings_are_short() -> None:
    content = read(f"# {'Long ' * 1_000}\n\nWords.", content_type="text/markdown")
    assert len(content.title or "") == MAX_TITLE
    assert content.pieces[0].locator.label == content.title


@pytest.mark.parametrize(
    ("encoding", "charset"),
    [
        ("utf-8", None),
        ("utf-8", "iso-8859-1"),
        ("utf-8-sig", None),
        ("utf-16", None),
        ("utf-16-le", "utf-16-le"),
        ("iso-8859-2", "iso-8859-2"),
        ("windows-1250", None),
        ("windows-1250", "no-such-charset"),
    ],
)
def test_texts_in_any_encoding_are_read(encoding: str, charset: str | None) -> None:
    text = "Żuraw stoi w płytkiej wodzie i czeka, aż ryba podpłynie bliżej. " * 20
    content = read(text.encode(encoding), charset, "text/plain")
    assert content.text == text.strip()


@pytest.mark.parametrize("body", [b"", b" \n", b"\x00\x01\x02\x03" * 99, b"G\x01\x00"])
def test_what_is_no_text_is_said_in_words(body: bytes) -> None:
    with pytest.raises(UnusableThing, match="No text was found in this file"):
        read(body, content_type="text/plain")


@pytest.mark.parametrize(
    ("first", "known"),
    [
        (b"# Notes\n\nSome words.", True),
        (b"\xef\xbb\xbfSome words.", True),
        ("Wörter".encode() * 100 + b"\xc3", True),
        ("Wörter".encode("iso-8859-1"), False),
        (b'{"json": 1}', False),
        (b"\xef\xbb\xbf<svg>", False),
        (b"<?xml version='1.0'?><rss>", False),
        (b"#!/bin/sh\n", False),
        (b"%!PS-Adobe-3.0", False),
        (b"\x7fELF\x02\x01\x01\x00", False),
    ],
)
def test_texts_are_recognised(first: bytes, known: bool) -> None:
    assert TextProcessor.sniff(first) == ("text/plain" if known else None)
