"""Lists of URLs: in the shapes in which programs export them, and in none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from allthethings.errors import BadInput
from allthethings.pipeline.lists import listed_in as listed_apart
from allthethings.sources.lists import lines_of, listed_in

FILES = Path(__file__).parent / "lists"
BOTH = ["https://one.test/braille", "https://two.test/tea?b=1&c=2"]
# What a file holds besides the two links: notes, folders of the browser's own.
LEFT_OUT = {"karakeep.json": 2, "firefox.html": 1}


@pytest.mark.parametrize("file", sorted(FILES.iterdir()), ids=lambda path: path.name)
def test_exports_are_read(file: Path) -> None:
    found = listed_in(file.read_bytes())
    assert list(found.lines) == BOTH
    assert found.left_out == LEFT_OUT.get(file.name, 0)


def test_the_exports_of_each_program_are_there() -> None:
    names = {file.name for file in FILES.iterdir()}
    for program in ("pocket", "raindrop", "pinboard", "karakeep", "linkding", "subscriptions"):
        assert any(name.startswith(program) for name in names)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_a_text_is_read(encoding: str) -> None:
    lines = ["http://a.test/", "http://b.test/ä"]
    file = "\r\n".join(["# mine", *lines, ""]).encode(encoding)
    assert listed_in(file).lines == lines


def test_lines() -> None:
    assert lines_of(" a \n\n#b\r\n\tc#d\re\u2028f\n") == ["a", "c#d", "e\u2028f"]


@pytest.mark.parametrize(
    ("file", "lines"),
    [
        (b"url\nhttps://a.test/\n", ["https://a.test/"]),
        (b"\xef\xbb\xbfTitle;URL\nA;https://a.test/;\nB\n", ["https://a.test/"]),
        (b'name\tlink\n\n"a\tb"\thttps://a.test/\n', ["https://a.test/"]),
        (
            b"https://a.test/?q=url,href\nhttps://b.test/",
            ["https://a.test/?q=url,href", "https://b.test/"],
        ),
        (b'["https://a.test/", 5, {"url": 7}, {"content": []}]', ["https://a.test/"]),
        (
            b'{"results": [{"url": "https://a.test/", "title": "As linkding\'s API answers"}]}',
            ["https://a.test/"],
        ),
        (
            b'<opml><body><outline xmlUrl="https://a.test/?a=1&b=2"/></body></opml>',
            ["https://a.test/?a=1&b=2"],
        ),
        (
            b'<?xml version="1.0"?><html><body><a href="https://a.test/">A</a></body></html>',
            ["https://a.test/"],
        ),
        (b"", []),
    ],
)
def test_other_shapes(file: bytes, lines: list[str]) -> None:
    assert list(listed_in(file).lines) == lines


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (b"\x00\x01\x02" * 50, "neither text nor"),
        (b'{"bookmarks": [{"content": {"type": "link", "url": "https://a.te', "damaged"),
        (b"[" * 200_000, "damaged"),
        (b'{"name": "package", "version": 1}', "no bookmarks"),
        (b"[1, 2", "damaged"),
    ],
)
def test_what_is_no_list_is_refused_in_words(file: bytes, words: str) -> None:
    for read in (listed_in, listed_apart):
        with pytest.raises(BadInput, match=words):
            read(file)


def test_entities_of_entities_do_not_fill_the_memory() -> None:
    levels = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(12))
    bomb = f"""<?xml version="1.0"?><!DOCTYPE opml [<!ENTITY e0 "https://a.test/">{levels}]>
        <opml><body><outline url="&e12;"/><outline url="https://b.test/"/></body></opml>"""
    try:
        lines = listed_apart(bomb.encode()).lines
    except BadInput:
        return
    assert sum(map(len, lines)) < 1_000_000


def test_ten_thousand_entries_are_read_in_their_order() -> None:
    urls = [f"https://a.test/{number}" for number in range(10_000)]
    entries = [{"content": {"type": "link", "url": url}} for url in urls]
    assert listed_apart(json.dumps({"bookmarks": entries}).encode()).lines == urls
    table = "title,url\n" + "".join(f'"A, {url}",{url}\n' for url in urls)
    assert listed_apart(table.encode()).lines == urls
