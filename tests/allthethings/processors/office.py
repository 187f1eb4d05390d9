"""Office documents that no program would write."""

from __future__ import annotations

from pathlib import Path

FILES = Path(__file__).parent / "files"


def with_encrypted_flag(original: Path) -> bytes:
    """A copy of an archive whose first member is said to be encrypted."""
    body = bytearray(original.read_bytes())
    body[body.index(b"PK\x01\x02") + 8] |= 1
    return bytes(body)
