"""ZIP files, and office documents with parts that no program would write."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A ZIP file of these members, in their order: the same bytes whenever it is made."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return made.getvalue()


def changed(original: Path, members: Mapping[str, bytes]) -> bytes:
    """A copy of an archive with these members in the place of its own, or beside them."""
    with zipfile.ZipFile(original) as old:
        kept = {name: old.read(name) for name in old.namelist() if name not in members}
    return zipped({**kept, **members})
