from __future__ import annotations

import json

import pytest

from allthethings.assets.locators import WHOLE, Heading, Locator, Rows
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors import Content
from allthethings.processors.data import CSV, JSON, JSON_LINES, TSV, YAML, DataProcessor
from allthethings.sources.fetch import Download
from tests.allthethings.processors.kinds import tools


def read(body: str | bytes, content_type: str, charset: str | None = None) -> Content:
    encoded = body.encode() if isinstance(body, str) else body
    document = Download("https://e.example/x", encoded, charset, content_type)
    return DataProcessor(tools()).read(document)


def placed(content: Content) -> list[tuple[Locator, str]]:
    return [(piece.locator, piece.text) for piece in content.pieces]


BIRDS = [
    (Rows(1, 1), "bird; wing span; where"),
    (Rows(2, 2), "bird: marsh harrier; wing span: 1,2; where: reeds; ponds"),
    (Rows(3, 3), 'bird: "red" kite; where: woods'),
]


@pytest.mark.parametrize(
    ("body", "content_type", "charset"),
    [
        # LibreOffice in Germany: semicolons.
        (
            'bird;wing span;where\nmarsh harrier;1,2;"reeds; ponds"\n"""red"" kite";;woods\n',
            CSV,
            None,
        ),
        # LibreOffice in Britain: commas, and quotation marks where they are needed.
        (
            'bird,wing span,where\nmarsh harrier,"1,2",reeds; ponds\n"""red"" kite",,woods\n',
            CSV,
            None,
        ),
        # Excel: a byte order mark, a line that tells the separator, and its line ends.
        (
            '\ufeffsep=;\r\nbird;wing span;where\r\nmarsh harrier;1,2;"reeds; ponds"\r\n'
            '"""red"" kite";;woods\r\n',
            CSV,
            None,
        ),
        # Excel's 'Unicode text'.
        (
            (
                "bird\twing span\twhere\r\nmarsh harrier\t1,2\treeds; ponds\r\n"
                '"""red"" kite"\t\twoods\r\n'
            ).encode("utf-16"),
            TSV,
            None,
        ),
    ],
)
def test_a_table_has_the_names_of_its_columns_in_each_row(
    body: str | bytes, content_type: str, charset: str | None
) -> None:
    assert placed(read(body, content_type, charset)) == BIRDS


def test_a_table_without_names() -> None:
    assert placed(read("heron,3\nkite,5\n\nowl,7\n", CSV)) == [
        (Rows(1, 1), "heron; 3"),
        (Rows(2, 2), "kite; 5"),
        (Rows(4, 4), "owl; 7"),
    ]


def test_a_table_of_one_column_and_a_long_cell() -> None:
    long = "word " * 50_000
    content = read(f'heron\n"{long}"\n', CSV)
    assert [piece.text for piece in content.pieces] == ["heron", long.strip()]


BOOK = {
    "title": "Birds",
    "pages": 300,
    "of": {"places": ["reeds", "ponds"], "kept": True, "none": None},
    "list": [{"bird": "heron", "eggs": [3, 4]}, {"bird": "kite", "seen": {"year": 2025.50}}],
}
SAID = [
    (WHOLE, "title: Birds; pages: 300"),
    (Heading("of"), "places: reeds, ponds; kept: true"),
    (Heading("list › 1"), "bird: heron; eggs: 3, 4"),
    (Heading("list › 2"), "bird: kite"),
    (Heading("list › 2 › seen"), "year: 2025.5"),
]


def test_json_is_read_by_the_way_to_each_object() -> None:
    content = read(json.dumps(BOOK), JSON)
    assert content.title == "Birds"
    assert placed(content) == SAID


@pytest.mark.parametrize("content_type", [JSON_LINES, JSON])
def test_lines_of_json_whatever_their_server_calls_them(content_type: str) -> None:
    body = '{"bird": "heron"}\n\n{"bird": "kite", "wild": false}\n["owl"]\n'
    content = read(body, content_type)
    assert [piece.text for piece in content.pieces] == [
        "bird: heron",
        "bird: kite; wild: false",
        "owl",
    ]


def test_yaml_is_read_as_json_is() -> None:
    body = """# Notes
title: Birds
pages: 300
of:
  places: [reeds, ponds]
  kept: true
list:
- {bird: heron, eggs: [3, 4]}
- bird: kite
  seen:
    year: 2025.5
---
another: >
  document of
  two lines
"""
    content = read(body, YAML)
    assert content.title == "Birds"
    assert placed(content) == [*SAID, (WHOLE, "another: document of two lines")]


def test_numbers_stay_as_they_are_written() -> None:
    digits = "7" * 5_000
    assert (
        read(f'{{"a": 1.50, "b": {digits}, "c": 1e3}}', JSON).text
        == f"a: 1.50; b: {digits}; c: 1e3"
    )


def test_aliases_and_tags_of_yaml_do_no_harm() -> None:
    """Each level has the one below nine times: read out, they would be 9 ** 30 words."""
    levels = ["a0: &a0 {word: lol}"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 31)]
    content = read("\n".join(levels), YAML)
    assert content.text == "word: lol"
    assert read("a: !!python/object/apply:os.system ['exit 1']\n", YAML).text == "a: exit 1"
    assert read("a: &a\n  b: words\n  c: *a\n", YAML).text == "b: words"
    assert read("? [a, key]\n: words\n", YAML).text == "?: words"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ('{"bird": "heron"', JSON),
        ("words", JSON),
        ('{"a":1}\nno\n', JSON_LINES),
        ('{"a":1}\nno\n', JSON),
        ('{"a":1} {"b":\n2}', JSON),
        ("a: [", YAML),
        ("[" * 100_000, JSON),
        ("- a\nb: [}", YAML),
    ],
)
def test_what_is_broken_is_said_in_words(body: str, content_type: str) -> None:
    with pytest.raises(UnusableThing, match="This data file could not be read") as caught:
        read(body, content_type)
    assert caught.value.code is ErrorCode.DOCUMENT_UNREADABLE


@pytest.mark.parametrize(
    ("body", "content_type"), [("{}", JSON), ("[[], null]", JSON), ("# only", YAML), (";;\n", CSV)]
)
def test_what_is_empty(body: str, content_type: str) -> None:
    with pytest.raises(UnusableThing, match="No values were found") as caught:
        read(body, content_type)
    assert caught.value.code is ErrorCode.NO_TEXT


@pytest.mark.parametrize(
    ("first", "content_type"),
    [
        (b'{"bird": 1}', JSON),
        (b'\xef\xbb\xbf [\n {\n "bird": 1}]', JSON),
        (b"%YAML 1.2\n---\n", YAML),
        (b"{curly} words", None),
        (b"[1] A note", None),
        (b"a,b\n1,2\n", None),
    ],
)
def test_files_are_recognised(first: bytes, content_type: str | None) -> None:
    assert DataProcessor.sniff(first) == content_type


@pytest.mark.parametrize("content_type", [JSON, JSON_LINES])
def test_a_separator_of_lines_may_stand_within_a_string(content_type: str) -> None:
    content = read('{"note": "one\u2028two"}\n', content_type)
    assert [piece.text for piece in content.pieces] == ["note: one two"]


def test_half_surrogate_pairs_can_be_stored() -> None:
    content = read(r'{"title": "cut \ud83d", "where\ud83d": {"reeds": "\ud83d\ude00"}}', JSON)
    assert content.title == "cut ?"
    assert placed(content) == [(WHOLE, "title: cut ?"), (Heading("where?"), "reeds: \U0001f600")]
