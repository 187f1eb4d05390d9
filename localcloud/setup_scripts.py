"""Whether a setup script has to run: not if code, settings and store are those of its last run."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from localcloud.state import write_private

# What the scripts import and read, below the project's folder.
CODE = ("*.py", "allthethings/**/*.py", "guardedfetch/**/*.py", "poetry.lock")


@dataclass(frozen=True)
class SetupScript:
    """A script, and the store that it sets up.

    `table` is a table of the SQLite file `store`, whose column `id` names what the script creates.
    The note of the last run lies in `folder`, so that it goes when the data there goes.
    """

    name: str
    folder: Path
    store: Path
    table: str

    def is_needed(self, root: Path, settings: Mapping[str, str]) -> bool:
        """Whether anything differs from what was there after the last run."""
        try:
            return self._note.read_text() != self._fingerprint(root, settings)
        except OSError:
            return True

    def note_run(self, root: Path, settings: Mapping[str, str]) -> None:
        """Keep what is there now, after a run."""
        write_private(self._note, self._fingerprint(root, settings))

    @property
    def _note(self) -> Path:
        return self.folder / f"{self.name}.done"

    def _fingerprint(self, root: Path, settings: Mapping[str, str]) -> str:
        digest = hashlib.sha256(json.dumps([dict(settings), *self._created()]).encode())
        for path in _code(root):
            digest.update(f"\0{path.relative_to(root)}\0".encode())
            digest.update(path.read_bytes())
        return digest.hexdigest() + "\n"

    def _created(self) -> list[str]:
        """The ids in the store; none if it cannot be read, which its program tells at its start."""
        try:
            store = sqlite3.connect(f"{self.store.as_uri()}?mode=ro", uri=True)
            with contextlib.closing(store):
                query = f"SELECT id FROM {self.table} ORDER BY id"  # noqa: S608 - names of our own
                return [row[0] for row in store.execute(query)]
        except sqlite3.Error:
            return []


def _code(root: Path) -> Iterator[Path]:
    for pattern in CODE:
        yield from sorted(root.glob(pattern))
