"""Archives by programs of several makers, and such as nobody should have made."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors import containers, unpacking
from allthethings.processors.archive import ArchiveProcessor
from allthethings.processors.containers import ENCRYPTED_MEMBER, LINK
from allthethings.processors.unpacking import CONTROLS, DAMAGED_MEMBER, OUTSIDE, contents, unpacked
from allthethings.sources.fetch import Download
from tests.allthethings.processors.kinds import tools

FILES = Path(__file__).parent / "files" / "archives"
URL = "https://e.example/files.zip"
HARBOUR = b"The lamplighter walks the harbour at dusk.\n"
TEA = b"# Tea\n\nTea leaves unroll in hot water.\n"
EXERCISE = "Die Übung beginnt mit einem tiefen Atemzug.\n".encode()
NOTES = {"notes/harbour.txt": HARBOUR, "notes/tea.md": TEA}
ALL = {**NOTES, "Übungen/größe.txt": EXERCISE}


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def tarred(files: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def read(body: bytes, url: str = URL) -> dict[str, bytes]:
    """The members that are read, by their paths."""
    return {member.path: content for member, content in unpacked(body, url) if not member.refusal}


def refusals(body: bytes) -> dict[str, str]:
    """Why the others are not."""
    members = (member for member, _ in unpacked(body, URL))
    return {member.path: member.refusal for member in members if member.refusal}


def refused(body: bytes) -> UnusableThing:
    """Why the whole archive is not read, in both passes."""
    with pytest.raises(UnusableThing) as caught:
        contents(body, URL)
    return caught.value


# -- of several makers


@pytest.mark.parametrize("name", ["7-zip.zip", "bsdtar.zip", "bsdtar.tar.xz", "gnu.tar.bz2"])
def test_archives_of_several_makers_are_read_alike(name: str) -> None:
    assert read((FILES / name).read_bytes()) == ALL


def test_names_in_utf_8_are_read_where_no_flag_says_so() -> None:
    body = (FILES / "info-zip.zip").read_bytes()
    assert set(read(body)) == {*ALL, "waves.txt"}
    assert refusals(body) == {"link.txt": LINK, "empty.txt": "It is empty."}


@pytest.mark.parametrize(
    ("told", "path"),
    [
        ("caf\N{LATIN SMALL LETTER E WITH ACUTE}.txt".encode("cp437"), "café.txt"),
        (b"a.txt", "a.txt"),
    ],
)
def test_other_names_are_in_the_first_encoding_of_the_format(told: bytes, path: str) -> None:
    body = zipped({"X" * len(told): HARBOUR}).replace(b"X" * len(told), told)
    assert list(read(body)) == [path]


def test_the_extra_field_for_a_name_counts_if_it_belongs_to_that() -> None:
    name, raw = "日誌.txt", b"____.txt"
    for crc, path in ((zlib.crc32(raw), name), (0, "____.txt")):
        info = zipfile.ZipInfo(raw.decode())
        field = struct.pack("<BI", 1, crc) + name.encode()
        info.extra = struct.pack("<HH", 0x7075, len(field)) + field
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            archive.writestr(info, HARBOUR)
        assert list(read(made.getvalue())) == [path]


def test_backslashes_are_slashes() -> None:
    body = zipped({"notes/harbour.txt": HARBOUR}).replace(b"notes/harbour", b"notes\\harbour")
    assert read(body) == {"notes/harbour.txt": HARBOUR}


def test_decomposed_names_of_macos_are_composed() -> None:
    body = zipped({"cafe\N{COMBINING ACUTE ACCENT}.txt": HARBOUR})
    assert list(read(body)) == ["café.txt"]


def test_what_systems_put_in_is_left_out() -> None:
    junk = [
        "__MACOSX/notes/._tea.md",
        "notes/._tea.md",
        ".DS_Store",
        "notes/Thumbs.db",
        ".git/HEAD",
    ]
    body = zipped({**NOTES, **dict.fromkeys(junk, b"junk")})
    assert read(body) == NOTES
    assert contents(body, URL).notes == ()


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_each_format_of_tar_is_read(form: int) -> None:
    files = {**ALL, f"{'deep/' * 25}end.txt": TEA}
    assert read(tarred(files, form)) == files


def test_a_tar_name_that_is_not_utf_8_is_read() -> None:
    body = tarred({"cafX.txt": HARBOUR}, tarfile.USTAR_FORMAT)
    header = bytearray(body[:512].replace(b"cafX", b"caf\xe9"))
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    assert list(read(bytes(header) + body[512:])) == ["café.txt"]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_file_that_is_compressed_alone_is_its_only_member(pack: object) -> None:
    assert callable(pack)
    assert read(pack(TEA), "https://e.example/a%20b/tea.md.gz") == {"tea.md": TEA}
    assert read(pack(tarred(NOTES)), URL) == NOTES


def test_zip64_is_read() -> None:
    made = io.BytesIO()
    with (
        zipfile.ZipFile(made, "w") as archive,
        archive.open("notes/tea.md", "w", force_zip64=True) as member,
    ):
        member.write(TEA)
    assert read(made.getvalue()) == {"notes/tea.md": TEA}


# -- members that are not read


def test_links_devices_and_sparse_files_are_named() -> None:
    assert refusals((FILES / "gnu.tar.bz2").read_bytes()) == {
        "hard.txt": LINK,
        "link.txt": LINK,
        "pipe": "It is a device, not a file.",
        "sparse.txt": "It is a sparse file, which may have any size.",
    }


def test_names_that_lead_out_of_the_archive_are_named() -> None:
    body = (FILES / "gnu-outside.tgz").read_bytes()
    assert list(read(body)) == ["waves.txt"]
    assert refusals(body) == {"../../tea.md": OUTSIDE, "etc/harbour.txt": OUTSIDE}
    windows = zipped({"C:\\notes\\tea.md": TEA, "..\\tea.md": TEA})
    assert set(refusals(windows).values()) == {OUTSIDE}


def test_control_characters_in_names_are_refused() -> None:
    assert refusals(zipped({"te\x1ba.md": TEA})) == {"te\x1ba.md": CONTROLS}
    assert refusals(tarred({"te\na.md": TEA})) == {"te\na.md": CONTROLS}


def test_a_zero_byte_in_a_name_is_refused() -> None:
    body = zipped({"tea.mdX.exe": TEA}).replace(b"tea.mdX.exe", b"tea.md\0.exe")
    assert refusals(body) == {"tea.md\0.exe": CONTROLS}


def test_of_members_with_the_same_name_the_last_one_counts() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("tea.md", HARBOUR)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("tea.md", TEA)
    assert read(made.getvalue()) == {"tea.md": TEA}
    notes = contents(made.getvalue(), URL).notes
    assert notes == ("1 file was left out: a later one has the same name.",)


def test_encrypted_members_are_named_and_an_archive_of_them_asks_for_a_password() -> None:
    body = (FILES / "7-zip-aes.zip").read_bytes()
    assert list(read(body)) == ["notes/harbour.txt"]
    assert refusals(body) == {"notes/tea.md": ENCRYPTED_MEMBER}
    error = refused((FILES / "7-zip-locked.zip").read_bytes())
    assert str(error) == "This archive asks for a password."
    assert error.code is ErrorCode.PASSWORD_PROTECTED


def test_methods_of_compression() -> None:
    assert "waves.txt" in read((FILES / "7-zip-lzma.zip").read_bytes())
    body = (FILES / "7-zip-deflate64.zip").read_bytes()
    assert read(body) == NOTES
    why = "Its compression method (9) is not supported."
    assert refusals(body) == {"waves.txt": why}


def test_a_damaged_member_does_not_harm_the_others() -> None:
    body = zipped({"harbour.txt": HARBOUR, "tea.md": TEA}, zipfile.ZIP_STORED)
    broken = body.replace(b"lamplighter", b"lamplIghter")
    assert refusals(broken) == {"harbour.txt": DAMAGED_MEMBER}
    assert read(broken) == {"tea.md": TEA}


def test_a_name_that_is_too_long_for_an_address_is_told() -> None:
    body = zipped({**NOTES, "é" * 400 + ".txt": TEA})
    assert read(body) == NOTES
    assert contents(body, URL).notes == ("1 file was left out: the name is too long.",)


# -- bounds


def test_a_member_beyond_the_limits_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MAX_MEMBER", 3 << 20)
    monkeypatch.setattr(unpacking, "MAX_UNPACKED", 5 << 20)
    sizes = {"large": 4, "first": 2, "second": 3, "third": 1}
    body = zipped({name: b"x" * (size << 20) for name, size in sizes.items()})
    assert set(read(body)) == {"first", "second"}
    assert refusals(body) == {
        "large": "It unpacks to more than 3 MB.",
        "third": "The files before it reach the limit of 5 MB unpacked.",
    }


def test_the_first_members_of_very_many_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MAX_MEMBERS", 2)
    body = zipped(ALL)
    assert len(read(body)) == 2
    assert contents(body, URL).notes == ("Only the first 2 of its 3 files are read.",)


@pytest.mark.parametrize("pack", [zipped, tarred, lambda files: gzip.compress(tarred(files))])
def test_an_archive_of_too_many_entries_is_refused(
    pack: Callable[[dict[str, bytes]], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "MAX_ENTRIES", 2)
    assert read(pack(NOTES)) == NOTES
    assert str(refused(pack(ALL))) == "This archive has more than 2 entries."


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_bomb_is_refused(pack: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert callable(pack)
    body = pack(bytes(32 << 20))
    error = refused(body)
    assert str(error) == "This archive unpacks to more than 200 times its size."
    assert error.code is ErrorCode.TOO_LARGE
    monkeypatch.setattr(containers, "MAX_UNPACKED", 8 << 20)
    assert str(refused(body)) == "This archive unpacks to more than 8 MB."


def test_a_zip_bomb_is_refused() -> None:
    body = zipped({f"{number}.txt": bytes(8 << 20) for number in range(4)})
    assert str(refused(body)) == "This archive unpacks to more than 200 times its size."


def test_members_that_overlap_are_refused() -> None:
    """As in the bombs of David Fifield: many names for one stretch of data."""
    kernel = zipped({"a.txt": bytes(range(256)) * 40}, zipfile.ZIP_STORED)
    start = kernel.rindex(b"PK\x01\x02")
    end = kernel.rindex(b"PK\x05\x06")
    entry = kernel[start:end]
    body = kernel[:start] + entry * 50
    body += struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 50, 50, 50 * len(entry), start, 0)
    assert str(refused(body)) == "The members of this archive overlap."


def test_a_size_that_is_a_lie_is_not_exceeded() -> None:
    body = zipped({"a.txt": bytes(1 << 20)})
    lie = body.replace(struct.pack("<L", 1 << 20), struct.pack("<L", 10))
    assert refusals(lie) == {"a.txt": DAMAGED_MEMBER}


# -- archives as a whole


@pytest.mark.parametrize(
    "body", [zipped({}), tarred({}), zipped({"folder/": b""}), zipped({".DS_Store": b"x"})]
)
def test_an_archive_without_files_is_told(body: bytes) -> None:
    assert contents(body, URL).members == ()
    with pytest.raises(UnusableThing, match=r"^There are no files in this archive\.$") as caught:
        ArchiveProcessor(tools()).read(Download(URL, body, None, "application/zip"))
    assert caught.value.code is ErrorCode.NO_TEXT


@pytest.mark.parametrize(
    "body",
    [
        zipped(ALL)[:-30],
        gzip.compress(tarred(ALL))[:-30],
        bz2.compress(tarred(ALL))[:-30],
        lzma.compress(tarred(ALL))[:-30],
        tarred(ALL)[: 512 * 3 + 100],
        gzip.compress(tarred(ALL)).replace(b"\x1f\x8b", b"\x1f\x8b\xff"),
        b"PK\x03\x04" + bytes(3_000),
    ],
)
def test_a_damaged_archive_is_told(body: bytes) -> None:
    error = refused(body)
    assert str(error) == "This archive is damaged or incomplete."
    assert error.code is ErrorCode.DOCUMENT_UNREADABLE


def test_a_document_that_its_server_calls_an_archive_is_told() -> None:
    for names in (["padding", "[Content_Types].xml", "word/document.xml"], ["mimetype", "a.xml"]):
        body = zipped(dict.fromkeys(names, b"x"))
        with pytest.raises(UnusableThing, match="but it is a document") as caught:
            ArchiveProcessor(tools()).read(Download(URL, body, None, "application/zip"))
        assert caught.value.code is ErrorCode.MISLABELLED


def test_the_names_are_its_text_under_their_folders() -> None:
    content = ArchiveProcessor(tools()).read(Download(URL, zipped(ALL), None, "application/zip"))
    assert content.text.split("\n") == list(ALL)
    places = [(piece.text, piece.locator.label) for piece in content.pieces]
    assert places[0] == ("notes/harbour.txt", "notes")
