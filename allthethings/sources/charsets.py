"""From bytes to characters, as the WHATWG's standards of encodings and of HTML have it."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Labels that browsers read as another encoding than Python does: mostly one with more characters
# (https://encoding.spec.whatwg.org/#names-and-labels).
LABELS = {
    **dict.fromkeys(
        ("ascii", "us-ascii", "iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "l1", "cp819"),
        "cp1252",
    ),
    **dict.fromkeys(("iso-8859-9", "iso8859-9", "latin5", "l5"), "cp1254"),
    **dict.fromkeys(("iso-8859-11", "tis-620", "dos-874"), "cp874"),
    **dict.fromkeys(
        ("shift_jis", "shift-jis", "sjis", "x-sjis", "ms_kanji", "windows-31j"), "cp932"
    ),
    **dict.fromkeys(("big5", "big5-hkscs", "cn-big5", "x-x-big5"), "big5hkscs"),
    **dict.fromkeys(("gb2312", "gbk", "gb_2312-80", "chinese", "x-gbk"), "gb18030"),
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987", "ksc5601", "korean", "windows-949"), "cp949"),
    **dict.fromkeys(("utf-16", "ucs-2", "unicode", "iso-10646-ucs-2"), "utf-16-le"),
    "x-cp1251": "cp1251",
    "x-euc-jp": "euc_jp",
    "x-user-defined": "cp1252",
}
# Encodings of the web, for a guess. Others are too rare, and too like one of these.
GUESSED = (
    *("utf-8", "utf-16-le", "utf-16-be", "ibm866", "koi8-r", "koi8-u", "gb18030", "big5hkscs"),
    *("iso-8859-2", "iso-8859-5", "iso-8859-7", "euc-jp", "iso-2022-jp", "cp932", "cp949"),
    *("cp874", *(f"cp{number}" for number in range(1250, 1259))),
)
# Codecs of Python that are no encodings of texts, or that decode escapes.
NOT_OF_THE_WEB = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
)
# Begins the Japanese characters of ISO-2022-JP, whose bytes are all ASCII.
ESCAPE = b"\x1b$"
# Bytes at the beginning of a page in which its own label has to stand.
PRESCAN = 1024
COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
# <meta charset=...>, <meta http-equiv=content-type content="text/html; charset=...">, and the
# declaration of XML.
META = re.compile(
    rb"<meta\b[^>]*?\bcharset\s*=\s*[\"']?\s*([^\s\"'/>;]+)"
    rb"|\A\s*<\?xml\b[^>]*?\bencoding\s*=\s*[\"']([^\"']+)",
    re.IGNORECASE,
)
# One in so many bytes that are not ASCII may be damaged.
TOLERANCE = 20
ASCII = bytes(range(128))


def text_of(body: bytes, charset: str | None, *, markup: bool = False) -> str:
    """The characters of a text that its server says is in `charset`. A page, with `markup`, may say
    it itself.

    A byte order mark decides, then the server, then the page, then a guess. A label that does not
    fit the bytes counts as none; bytes that are UTF-8 are that, whatever the label.
    """
    for mark, encoding in BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    if markup and 0 < body.count(0) * 100 < len(body):  # browsers pass over single zero bytes
        body = body.replace(b"\0", b"")
    for encoding in _labelled(body, charset, markup):
        if (text := _fitting(body, encoding)) is not None:
            return text
    return _fitting(body, _guessed(body)) or body.decode("cp1252", "replace")


def _labelled(body: bytes, charset: str | None, markup: bool) -> Iterator[str]:
    """The encodings to try, the best first."""
    if not body.isascii():
        yield "utf-8"
    label = META.search(COMMENT.sub(b"", body[:PRESCAN])) if markup else None
    own = (label[1] or label[2]).decode("ascii", "replace") if label else None
    for told in (charset, own):
        encoding = _encoding(told)
        # Who could read this label has to know that it is not so.
        if encoding and not (told is own and encoding.startswith("utf-16")):
            yield encoding
    if body.isascii() and ESCAPE not in body:
        yield "utf-8"


def _encoding(label: str | None) -> str | None:
    """Python's name of the encoding that a label means; None for an unknown one."""
    plain = (label or "").strip().lower()
    try:
        codec = codecs.lookup(LABELS.get(plain, plain))
    except (LookupError, ValueError):
        return None
    return codec.name if codec._is_text_encoding and codec.name not in NOT_OF_THE_WEB else None


def _fitting(body: bytes, encoding: str) -> str | None:
    """The text in that encoding, if it is so but for a few damaged bytes. A character whose end is
    cut off at the end of the text is left out."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(body)
        damaged = 0
    except UnicodeError:
        text = codecs.getincrementaldecoder(encoding)("replace").decode(body)
        damaged = text.count("\ufffd")
    fits = damaged * TOLERANCE <= len(body.translate(None, ASCII)) and "\0" not in text
    return text if fits else None


def _guessed(body: bytes) -> str:
    import chardet

    found = chardet.detect(body, include_encodings=GUESSED)["encoding"]
    return _encoding(found) or "cp1252"
