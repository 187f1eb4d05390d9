"""The entries of archives, as their formats write them: ZIP, tar, and compressed files.

Nothing is judged here but what the formats themselves say.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePosixPath
from typing import IO, cast

from allthethings.assets.members import file_name
from allthethings.errors import ErrorCode, UnusableThing

# Bytes that an archive may unpack to, and how many times its own size, where that is not harmless
# anyway. Files pack better than 50 to 1 only if they repeat themselves.
MAX_UNPACKED, MAX_RATIO, HARMLESS = 256 * 1024 * 1024, 200, 16 * 1024 * 1024
# Entries of any sort that an archive may have: Python makes some thousand of them a second.
MAX_ENTRIES = 20_000
# How the entry of a member begins in the directory of a ZIP file.
DIRECTORY_ENTRY = b"PK\x01\x02"
# Bytes that are decompressed at a time.
PIECE = 1024 * 1024
# Flags of a member of a ZIP file (PKWARE's APPNOTE, 4.4.4), and the ways of packing that Python
# undoes (4.4.5).
ENCRYPTED, UTF8 = 0x1, 0x800
METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA})
# The extra field that has a member's name in UTF-8 (APPNOTE, 4.6.9), and its beginning: a version,
# and the CRC-32 of the name that it stands for.
UNICODE_PATH, UNICODE_HEAD = 0x7075, struct.Struct("<BI")
# Opens a compressed file.
Opener = Callable[[IO[bytes]], IO[bytes]]
# How compressed files begin, and what opens them.
PACKED: Mapping[bytes, Opener] = {
    b"\x1f\x8b": lambda file: cast(IO[bytes], gzip.GzipFile(fileobj=file)),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
# What the standard library raises for archives, and for members, that are broken.
BROKEN = (
    *(zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error),
    *(EOFError, OSError, ValueError, NotImplementedError, struct.error),
)

DAMAGED = "This archive is damaged or incomplete."
ENCRYPTED_MEMBER = "It is encrypted, and a password cannot be given."
LINK = "It is a link, not a file."


@dataclass(frozen=True)
class Entry:
    """A file in an archive. `name` is as it is written there, `size` is bytes unpacked, and `read`
    gets at most so many of them. `refusal` is why it cannot be read, in words for people."""

    name: str
    size: int
    read: Callable[[int], bytes] = field(repr=False)
    refusal: str = ""
    code: ErrorCode = ErrorCode.DOCUMENT_UNREADABLE


def entries(body: bytes, url: str) -> Iterator[Entry]:
    """The files in an archive, in their order, without its folders. One that is a compressed file
    has that alone, named by the URL. Raises UnusableThing for what is damaged or unpacks to too
    much, ValueError for what is no archive."""
    try:
        if body.startswith(b"PK"):
            _refuse_many(body.count(DIRECTORY_ENTRY))  # before Python reads them all
            yield from _in_zip(zipfile.ZipFile(io.BytesIO(body)), len(body))
            return
        opener = next((PACKED[each] for each in PACKED if body.startswith(each)), None)
        if opener:
            yield from _in_compressed(_decompressed(body, opener), url)
            return
        tar = tarfile.open(fileobj=io.BytesIO(body), mode="r:")  # noqa: SIM115 - it is in memory
    except BROKEN as error:
        if body.startswith((b"PK", *PACKED)):
            raise UnusableThing(DAMAGED) from error
        raise ValueError("this is no archive") from error
    yield from _in_tar(tar)


def _in_zip(archive: zipfile.ZipFile, size: int) -> Iterator[Entry]:
    files = [info for info in archive.infolist() if not info.is_dir()]
    if sum(info.compress_size for info in files) > size:
        raise UnusableThing("The members of this archive overlap.", ErrorCode.TOO_LARGE)
    _refuse_ratio(sum(info.file_size for info in files), size)
    for info in files:
        read = partial(_read_zipped, archive, info)
        refusal, code = "", ErrorCode.DOCUMENT_UNREADABLE
        if stat.S_ISLNK(info.external_attr >> 16):
            refusal = LINK
        elif info.flag_bits & ENCRYPTED:
            refusal, code = ENCRYPTED_MEMBER, ErrorCode.PASSWORD_PROTECTED
        elif info.compress_type not in METHODS:
            refusal = f"Its compression method ({info.compress_type}) is not supported."
        yield Entry(_name_in_zip(info), info.file_size, read, refusal, code)


def _read_zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo, count: int) -> bytes:
    with archive.open(info) as file:
        return file.read(count)


def _name_in_zip(info: zipfile.ZipInfo) -> str:
    """The name in the encoding that it is in: many programs write UTF-8 and do not say so. The
    backslashes of programs that take those for slashes are slashes."""
    name = info.orig_filename
    if not info.flag_bits & UTF8:
        raw = name.encode("cp437")
        name = _unicode_path(info.extra, zlib.crc32(raw)) or _as_utf8(raw) or name
    return name if "/" in name else name.replace("\\", "/")


def _as_utf8(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def _unicode_path(extra: bytes, crc: int) -> str | None:
    """The name in the extra field for it, if that belongs to the name with this checksum."""
    while len(extra) >= 4:
        tag, length = struct.unpack_from("<HH", extra)
        told, extra = extra[4 : 4 + length], extra[4 + length :]
        if tag == UNICODE_PATH and len(told) > UNICODE_HEAD.size:
            version, of = UNICODE_HEAD.unpack_from(told)
            return _as_utf8(told[UNICODE_HEAD.size :]) if version == 1 and of == crc else None
    return None


def _in_compressed(content: io.BytesIO, url: str) -> Iterator[Entry]:
    """The files of a compressed tar archive, or the one file that was compressed."""
    size = content.getbuffer().nbytes
    try:
        tar = tarfile.open(fileobj=content, mode="r:")  # noqa: SIM115 - it is in memory
    except tarfile.ReadError:
        name = PurePosixPath(file_name(url)).stem or "file"
        yield Entry(name, size, lambda count: content.getvalue()[:count])
        return
    yield from _in_tar(tar)


def _in_tar(tar: tarfile.TarFile) -> Iterator[Entry]:
    for number, info in enumerate(tar, 1):
        _refuse_many(number)
        if info.isdir():
            continue
        refusal = ""
        if info.issym() or info.islnk():
            refusal = LINK
        elif not info.isfile():
            refusal = "It is a device, not a file."
        elif info.issparse():
            refusal = "It is a sparse file, which may have any size."
        yield Entry(_name_in_tar(info), info.size, partial(_read_tarred, tar, info), refusal)


def _read_tarred(tar: tarfile.TarFile, info: tarfile.TarInfo, count: int) -> bytes:
    file = tar.extractfile(info)
    return file.read(count) if file else b""


def _name_in_tar(info: tarfile.TarInfo) -> str:
    """The name; in the encoding of Western Europe where it is not in UTF-8."""
    raw = info.name.encode("utf-8", "surrogateescape")
    return _as_utf8(raw) or raw.decode("cp1252", "replace")


def _decompressed(body: bytes, opener: Opener) -> io.BytesIO:
    """What a compressed file has in it. Raises UnusableThing where that is too much."""
    content, size = io.BytesIO(), 0
    with opener(io.BytesIO(body)) as file:
        while piece := file.read(PIECE):
            size += content.write(piece)
            _refuse_ratio(size, len(body))
            if size > MAX_UNPACKED:
                limit = f"{MAX_UNPACKED >> 20} MB"
                raise UnusableThing(
                    f"This archive unpacks to more than {limit}.", ErrorCode.TOO_LARGE
                )
    content.seek(0)
    return content


def _refuse_many(number: int) -> None:
    if number > MAX_ENTRIES:
        raise UnusableThing(
            f"This archive has more than {MAX_ENTRIES:,} entries.", ErrorCode.TOO_LARGE
        )


def _refuse_ratio(unpacked: int, packed: int) -> None:
    if unpacked > max(HARMLESS, MAX_RATIO * packed):
        raise UnusableThing(
            f"This archive unpacks to more than {MAX_RATIO} times its size.", ErrorCode.TOO_LARGE
        )
