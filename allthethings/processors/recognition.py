"""Decide what a thing is: by its first bytes, by what its server calls it, and by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from allthethings.processors.magic import CONTAINERS, is_binary, type_of
from allthethings.processors.registry import PROCESSORS, Unsupported, processor_class, sniff

# Content types of servers that do not know what they send; the empty one stands for none.
UNTOLD = frozenset(
    {
        "",
        "application/binary",
        "application/download",
        "application/force-download",
        "application/octet-stream",
        "application/unknown",
        "application/x-download",
        "application/x-octet-stream",
        "binary/octet-stream",
        "unknown/unknown",
    }
)
# Content types that servers give to many kinds of files. A feed may be JSON as well, playlists have
# types of the family of recordings, and a compressed file may be a sitemap.
VAGUE = frozenset(
    {
        "application/gzip",
        "application/json",
        "application/vnd.ms-office",
        "application/x-gzip",
        "application/x-zip",
        "application/x-zip-compressed",
        "application/xml",
        "application/zip",
        "audio/mpegurl",
        "audio/x-mpegurl",
        "text/plain",
        "text/xml",
    }
)

# What the first bytes of any text are recognised as.
ANY_TEXT = "text/plain"


def recognise(told: str, names: Iterable[str], look: Callable[[], bytes]) -> str:
    """The content type of a thing that its server calls `told` (lower case, no parameters).

    `names` are file names that it may have, the best first. `look` gets its first bytes: it is
    called only if the server tells little, or if a name is that of another kind. Bytes that are
    typical of a kind decide. Else a name decides where the server tells little, and else the
    server is believed.
    """
    named = _type_of_names(names)
    believed, expected = processor_class(told), processor_class(named or told)
    unclear = told in UNTOLD | VAGUE or believed is Unsupported
    if not unclear and (believed is expected or (believed.is_text and expected.is_text)):
        return told
    first = look()
    found = sniff(first)
    if found and found != ANY_TEXT:
        return told if processor_class(found) is believed else found
    binary = is_binary(first)
    foreign = type_of(first) if binary else None
    if foreign and foreign not in CONTAINERS:
        return foreign
    # A text where its server promises none, or a server that tells little: the name decides.
    open_to_names = unclear or not (binary or believed.is_text)
    if named and open_to_names and (binary or expected.is_text):
        return named
    return found or foreign or told if told in UNTOLD else told


def _type_of_names(names: Iterable[str]) -> str | None:
    """The content type of the first name that ends as those of some kind do."""
    for name in names:
        suffix = PurePosixPath(name).suffix.lower()
        for processor in PROCESSORS:
            if suffix in processor.suffixes:
                return processor.suffixes[suffix]
    return None
