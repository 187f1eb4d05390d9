"""What an archive holds, and its members one by one, within bounds.

Nothing is written to a disk, so no name of a member leads anywhere. These functions run in the
sandbox: a few bytes can keep a decompressor busy, or make it ask for much memory.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace

from allthethings.assets.members import member_url
from allthethings.assets.urls import MAX_URL_LENGTH
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors.containers import BROKEN, DAMAGED, MAX_UNPACKED, Entry, entries

# Members that are read. Folders, and what systems put in by themselves, do not count.
MAX_MEMBERS = 1_000
# Bytes of a member unpacked.
MAX_MEMBER = 40 * 1024 * 1024
# Files and folders that macOS, Windows and programs for versions keep beside those of people.
JUNK = frozenset({"__macosx", ".ds_store", "thumbs.db", "desktop.ini", ".git", ".svn", ".hg"})
# How the name of a file begins that macOS keeps beside another one's.
JUNK_PREFIX = "._"
ABSOLUTE = re.compile(r"/|[A-Za-z]:[/\\]")

OUTSIDE = "Its path points outside the archive."
DAMAGED_MEMBER = "It is damaged, or takes too much memory to unpack."
CONTROLS = "Its name contains control characters."


@dataclass(frozen=True)
class Member:
    """A file in an archive, at its address. `size` is bytes unpacked. `refusal` is why it is not
    read, in words for people, with its code."""

    url: str
    path: str
    size: int
    refusal: str = ""
    code: ErrorCode | None = None

    def refused(self, why: str, code: ErrorCode = ErrorCode.DOCUMENT_UNREADABLE) -> Member:
        return replace(self, refusal=why, code=code)


@dataclass(frozen=True)
class Contents:
    """The members in their order, each path once, and sentences about what was left out."""

    members: tuple[Member, ...]
    notes: tuple[str, ...] = ()


def contents(body: bytes, url: str) -> Contents:
    """What is in the archive at that URL. Raises UnusableThing, also where a password opens all of
    it; ValueError for what is no archive."""
    chosen, notes = _chosen(body, url)
    members = tuple(member for member, _ in chosen)
    if members and all(member.code is ErrorCode.PASSWORD_PROTECTED for member in members):
        raise UnusableThing("This archive asks for a password.", ErrorCode.PASSWORD_PROTECTED)
    return Contents(members, notes)


def unpacked(body: bytes, url: str) -> Iterator[tuple[Member, bytes]]:
    """The members of `contents`, each with its bytes; one that is not read has none."""
    for member, entry in _chosen(body, url)[0]:
        if member.refusal:
            yield member, b""
            continue
        try:
            content = entry.read(MAX_MEMBER)
        except Exception:  # noqa: BLE001 - whatever strangers packed; the others go on
            yield member.refused(DAMAGED_MEMBER), b""
            continue
        yield replace(member, size=len(content)), content


def _chosen(body: bytes, url: str) -> tuple[list[tuple[Member, Entry]], tuple[str, ...]]:
    """The members that count, and sentences about those that do not."""
    found, copies, long = _found(body, url)
    left, chosen = MAX_UNPACKED, []
    for member, entry in list(found.values())[:MAX_MEMBERS]:
        fit = _fitting(member, left)
        left -= 0 if fit.refusal else fit.size
        chosen.append((fit, entry))
    notes = []
    if len(found) > MAX_MEMBERS:
        notes.append(f"Only the first {MAX_MEMBERS:,} of its {len(found):,} files are read.")
    if copies:
        notes.append(f"{_files(copies)} left out: a later one has the same name.")
    if long:
        notes.append(f"{_files(long)} left out: the name is too long.")
    return chosen, tuple(notes)


def _files(number: int) -> str:
    return "1 file was" if number == 1 else f"{number:,} files were"


def _found(body: bytes, url: str) -> tuple[dict[str, tuple[Member, Entry]], int, int]:
    """The members by their paths, the last one of each, as where programs unpack one over the
    other; how many were before those, and how many have names that are too long."""
    found: dict[str, tuple[Member, Entry]] = {}
    copies, long, is_archive = 0, 0, False
    try:
        for entry in entries(body, url):
            is_archive = True
            member = _member(entry, url)
            if not member.path or any(map(_is_junk, member.path.lower().split("/"))):
                continue
            if len(member.url) > MAX_URL_LENGTH:
                long += 1
                continue
            copies += member.path in found
            found[member.path] = member, entry
    except BROKEN as error:
        if not is_archive:
            raise
        raise UnusableThing(DAMAGED) from error
    return found, copies, long


def _is_junk(part: str) -> bool:
    return part in JUNK or part.startswith(JUNK_PREFIX)


def _member(entry: Entry, url: str) -> Member:
    name = unicodedata.normalize("NFC", entry.name)
    parts = [part for part in name.split("/") if part not in ("", ".")]
    path = "/".join(parts)
    code = entry.code if entry.refusal else None
    member = Member(member_url(url, path), path, entry.size, entry.refusal, code)
    if any(unicodedata.category(character) == "Cc" for character in name):
        return member.refused(CONTROLS)
    if ".." in parts or ABSOLUTE.match(name):
        return member.refused(OUTSIDE)
    return member


def _fitting(member: Member, left: int) -> Member:
    """The member, refused if it has more bytes than are `left` for it."""
    if member.refusal:
        return member
    if not member.size:
        return member.refused("It is empty.", ErrorCode.NO_TEXT)
    if member.size > MAX_MEMBER:
        limit = f"It unpacks to more than {MAX_MEMBER >> 20} MB."
        return member.refused(limit, ErrorCode.TOO_LARGE)
    if member.size > left:
        limit = f"The files before it reach the limit of {MAX_UNPACKED >> 20} MB unpacked."
        return member.refused(limit, ErrorCode.TOO_LARGE)
    return member
