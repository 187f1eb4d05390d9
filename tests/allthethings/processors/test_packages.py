"""Documents that are archives: the bounds that hold before anything is unpacked."""

from __future__ import annotations

import zipfile

import pytest

from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors import packages
from allthethings.processors.packages import opened, parsed
from tests.allthethings.processors.office import FILES, with_encrypted_flag
from tools.harness.archives import changed

ORDINARY = FILES / "pandoc.docx"


def refused(body: bytes) -> UnusableThing:
    with pytest.raises(UnusableThing) as caught:
        opened(body, "document")
    return caught.value


def test_an_ordinary_document_is_opened() -> None:
    with opened(ORDINARY.read_bytes(), "document") as archive:
        assert parsed(archive, "word/document.xml").tag.endswith("}document")


def test_a_bomb_is_refused_by_its_ratio() -> None:
    error = refused(changed(ORDINARY, {"word/bomb.xml": b" " * 32 * 2**20}))
    assert str(error) == "This document unpacks to more than 200 times its size."
    assert error.code is ErrorCode.TOO_LARGE


def test_a_bomb_is_refused_by_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "MAX_UNPACKED", 2**20)
    error = refused(changed(ORDINARY, {"word/large.xml": b" " * 2**20}))
    assert str(error) == "This document unpacks to more than 1 MB."
    assert error.code is ErrorCode.TOO_LARGE


def test_too_much_markup_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "MAX_MARKUP", 2**20)
    opened(changed(ORDINARY, {"word/picture.png": b" " * 2**20}), "document")
    error = refused(changed(ORDINARY, {"word/Large.XML": b" " * 2**20}))
    assert str(error) == "This document has more than 1 MB of markup."
    assert error.code is ErrorCode.TOO_LARGE


def test_too_many_parts_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "MAX_MEMBERS", 30)
    error = refused(changed(ORDINARY, {f"word/{number}.xml": b"" for number in range(31)}))
    assert str(error) == "This document has more than 30 parts."
    assert error.code is ErrorCode.TOO_LARGE


@pytest.mark.parametrize(
    "body", [with_encrypted_flag(ORDINARY), (FILES / "locked.docx").read_bytes()]
)
def test_a_password_is_asked_for(body: bytes) -> None:
    error = refused(body)
    assert str(error) == "This document asks for a password."
    assert error.code is ErrorCode.PASSWORD_PROTECTED


def test_a_member_that_says_it_is_smaller_is_read_no_further() -> None:
    """The sizes in an archive may lie: what is unpacked stays within them."""
    body = bytearray(changed(ORDINARY, {"word/lie.xml": b"<a>" + b" " * 2**20 + b"</a>"}))
    entry = body.rindex(b"word/lie.xml")
    body[entry - 22 : entry - 18] = (100).to_bytes(4, "little")
    with opened(bytes(body), "document") as archive, pytest.raises(zipfile.BadZipFile):
        archive.read("word/lie.xml")


def test_entities_stand_for_nothing() -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY x "lol"><!ENTITY y SYSTEM "file:///etc/passwd">]><a>&x;&y;</a>'
    with opened(changed(ORDINARY, {"word/bomb.xml": bomb}), "document") as archive:
        assert "".join(parsed(archive, "word/bomb.xml").itertext()) in ("", "&x;&y;")
