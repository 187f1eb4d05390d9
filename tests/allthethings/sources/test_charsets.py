from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allthethings.processors.html import HtmlProcessor
from allthethings.processors.text import TextProcessor
from allthethings.sources.charsets import text_of
from allthethings.sources.fetch import Download
from allthethings.sources.markup import title_of
from tests.allthethings.processors.kinds import tools

RUSSIAN = "Маяк освещает море, чтобы корабли могли найти дорогу. Весной прилетают птицы. "
JAPANESE = "灯台は海を照らして、船が道を見つけられるようにします。春になると鳥が飛んできます。"
CHINESE = "燈塔照亮大海，讓船隻找到方向。春天的時候，鳥兒飛來，人們在河邊聽牠們唱歌。"
SIMPLIFIED = "灯塔照亮大海，让船只找到方向。春天的时候，鸟儿飞来，人们在河边听它们唱歌。"
KOREAN = "등대는 배가 길을 찾을 수 있도록 바다를 비춥니다. 봄이 되면 새들이 날아옵니다. "
POLISH = (
    "Latarnia morska oświetla morze, aby statki mogły znaleźć drogę. Wiosną przylatują żurawie. "
)
FRENCH = "Le phare éclaire la mer. Au printemps, les oiseaux arrivent à la rivière – « chantez ». "
GREEK = "Ο φάρος φωτίζει τη θάλασσα για να βρουν τα πλοία τον δρόμο τους. "

TEXTS = [
    ("windows-1251", RUSSIAN),
    ("koi8-r", RUSSIAN),
    ("iso-8859-5", RUSSIAN),
    ("shift_jis", JAPANESE),
    ("euc-jp", JAPANESE),
    ("iso-2022-jp", JAPANESE),
    ("big5", CHINESE),
    ("gb2312", SIMPLIFIED),
    ("euc-kr", KOREAN),
    ("iso-8859-2", POLISH),
    ("windows-1250", POLISH),
    ("windows-1252", FRENCH),
    ("iso-8859-7", GREEK),
    ("utf-8", RUSSIAN),
    ("utf-8-sig", RUSSIAN),
    ("utf-16", POLISH),
]
in_every_encoding = pytest.mark.parametrize(("encoding", "text"), TEXTS, ids=lambda each: each[:12])


def page(text: str, head: str = "") -> str:
    paragraphs = f"<p>{text * 3}</p>" * 3
    title = f"<title>{text.strip()}</title>"
    return f"<html><head>{head}{title}</head><body><article>{paragraphs}</article></body></html>"


def read_page(body: bytes, charset: str | None) -> str:
    """The text of a page, whose title has to be the same in a first look at it."""
    content = HtmlProcessor(tools()).read(Download("https://e.example/p", body, charset))
    assert content.title == title_of(body, charset)
    return content.text


@in_every_encoding
def test_a_page_whose_server_tells_its_encoding_is_read(encoding: str, text: str) -> None:
    assert text.strip() in read_page(page(text).encode(encoding), encoding)


@in_every_encoding
def test_a_page_that_tells_its_encoding_itself_is_read(encoding: str, text: str) -> None:
    for head in (
        f'<meta charset="{encoding}">',
        f"<!-- <meta charset=utf-8> --><META http-equiv=Content-Type content='text/html; "
        f"charset={encoding}'>",
    ):
        assert text.strip() in read_page(page(text, head).encode(encoding), None)


@in_every_encoding
def test_a_page_that_tells_nothing_is_read(encoding: str, text: str) -> None:
    assert text.strip() in read_page(page(text).encode(encoding), None)


@in_every_encoding
def test_a_text_file_is_read_with_and_without_a_label(encoding: str, text: str) -> None:
    body = (text * 3).encode(encoding)
    for charset in (encoding, None, "no-such-charset"):
        download = Download("https://e.example/t.txt", body, charset, "text/plain")
        assert TextProcessor(tools()).read(download).text == (text * 3).strip()


def test_the_server_goes_before_the_page() -> None:
    body = page(RUSSIAN, '<meta charset="koi8-r">').encode("windows-1251")
    assert RUSSIAN.strip() in read_page(body, "windows-1251")


def test_a_byte_order_mark_goes_before_the_server() -> None:
    body = codecs.BOM_UTF16_BE + page(RUSSIAN).encode("utf-16-be")
    assert RUSSIAN.strip() in read_page(body, "windows-1251")


@pytest.mark.parametrize("wrong", ["iso-8859-1", "windows-1251", "shift_jis", "utf-16"])
def test_utf_8_is_that_whatever_the_label(wrong: str) -> None:
    body = page(RUSSIAN, f'<meta charset="{wrong}">').encode()
    assert RUSSIAN.strip() in read_page(body, wrong)


def test_a_label_that_does_not_fit_counts_as_none() -> None:
    assert RUSSIAN.strip() in read_page(page(RUSSIAN).encode("windows-1251"), "utf-8")
    assert JAPANESE in read_page(page(JAPANESE).encode("shift_jis"), "iso-8859-1")
    assert POLISH.strip() in read_page(page(POLISH, "<meta charset=rot13>").encode("cp1250"), None)


@pytest.mark.parametrize(
    ("label", "body", "text"),
    [
        ("iso-8859-1", b"\x93Caf\xe9\x94 \x80", "“Café” €"),
        ("latin1", b"\x85", "…"),
        ("shift_jis", b"\x87\x40", "①"),
        ("gb2312", "镕".encode("gbk"), "镕"),
        ("euc-kr", "똠".encode("cp949"), "똠"),
        ("iso-8859-9", b"\x96", "–"),
        (" UTF8 ", "é".encode(), "é"),
    ],
)
def test_labels_mean_what_browsers_take_them_for(label: str, body: bytes, text: str) -> None:
    assert text_of(body, label) == text


def test_some_damage_does_not_change_the_encoding() -> None:
    body = bytearray((RUSSIAN * 30).encode())
    body[101] = 0xFF
    assert RUSSIAN in text_of(bytes(body), None)
    assert text_of("caf\N{REPLACEMENT CHARACTER}".encode(), None) == "caf\N{REPLACEMENT CHARACTER}"


def test_a_character_that_is_cut_off_is_left_out() -> None:
    assert text_of("café".encode()[:-1], None) == "caf"
    assert text_of("灯台".encode("cp932")[:-1], "shift_jis") == "灯"


def test_a_zero_byte_in_a_page_is_passed_over() -> None:
    assert RUSSIAN.strip() in read_page(page(RUSSIAN).encode().replace(b"</p>", b"\0</p>", 1), None)


@given(st.binary(max_size=200), st.none() | st.text(max_size=12), st.booleans())
def test_any_bytes_become_some_text(body: bytes, label: str | None, markup: bool) -> None:
    assert isinstance(text_of(body, label, markup=markup), str)
