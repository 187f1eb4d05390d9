"""The files of a tantivy index: their segments, their checksums, durable replacement."""

from __future__ import annotations

import json
import mmap
import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bson

from localcloud.atlas.index.stores import DamagedStore

# The suffixes of the files that make up a segment.
_PARTS = ("fast", "fieldnorm", "idx", "pos", "store", "term")
# The number that ends every file of tantivy's.
_FOOTER_MAGIC = 1337


def population(folder: Path) -> tuple[int, int]:
    """The numbers of live and of deleted documents in the last commit. Raises DamagedStore."""
    segments = _segments(folder)
    total = sum(segment["max_doc"] for segment in segments)
    dead = sum(s["deletes"]["num_deleted_docs"] for s in segments if s["deletes"])
    return total - dead, dead


def verify(folder: Path) -> None:
    """Raises DamagedStore unless every file of the last commit has its checksum."""
    for segment in _segments(folder):
        name = segment["segment_id"].replace("-", "")
        files = [f"{name}.{part}" for part in _PARTS]
        if segment["deletes"]:
            files.append(f"{name}.{segment['deletes']['opstamp']}.del")
        for file in files:
            try:
                sound = _has_its_checksum(folder / file)
            except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
                raise DamagedStore(f"{file}: {error}") from error
            if not sound:
                raise DamagedStore(file)


def replace_file(path: Path, document: Mapping[str, Any]) -> None:
    """Write a small BSON file so that after a crash it is either the old or the new one."""
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(bson.encode(document))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _segments(folder: Path) -> list[dict[str, Any]]:
    try:
        segments: list[dict[str, Any]] = json.loads((folder / "meta.json").read_bytes())["segments"]
    except (OSError, ValueError, KeyError) as error:
        raise DamagedStore(f"meta.json: {error}") from error
    return segments


def _has_its_checksum(path: Path) -> bool:
    """Check a file, which ends with a footer in JSON, the footer's size and a magic number."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        size, magic = struct.unpack("<II", data[-8:])
        end = len(data) - 8 - size
        footer = json.loads(data[max(0, end) : -8])
        with memoryview(data) as view, view[: max(0, end)] as body:
            return bool(magic == _FOOTER_MAGIC and zlib.crc32(body) == footer["crc"])
