"""Texts as they can be stored. Pure."""

from __future__ import annotations

# The characters of scripts without spaces, for a class of a regular expression: each is a word of
# its own.
ALONE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"


def encodable(text: str) -> str:
    """The text without half surrogate pairs, which JSON can spell and nothing can store."""
    return text.encode("utf-8", "replace").decode()
