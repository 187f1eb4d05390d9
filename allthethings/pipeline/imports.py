"""Lists of URLs of any length: stored at once, looked at in the background."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from allthethings.assets.imports import (
    CAN_CONFIRM,
    CAN_RESUME,
    CAN_UNDO,
    FOLLOWED,
    Import,
    ImportState,
)
from allthethings.errors import BadInput
from allthethings.store.imports import ImportStore
from allthethings.store.lists import ListStore

# The most lines of one import.
MAX_LINES = 10_000


class Imports:
    """What people do with imports. One serves any number of threads."""

    def __init__(self, store: ImportStore, lists: ListStore) -> None:
        self._store = store
        self._lists = lists

    def take(self, lines: Sequence[str], notes: Sequence[str] = ()) -> Import:
        """Store the lines, each once; a worker looks at them. Raises BadInput where they are too
        many, ServiceUnavailable when they could not be stored."""
        if len(lines) > MAX_LINES:
            raise BadInput(
                f"This list has {len(lines):,} lines, and one import takes at most {MAX_LINES:,}. "
                "Send it in parts; nothing of it was indexed."
            )
        return self._store.add(Counter(lines), notes)

    def pause(self, import_id: str) -> None:
        """Look at no further line, and not for new entries of a list. Raises BadInput."""
        found = self._store.get(import_id)
        if not found or not self._store.move(import_id, found.can_pause_in, ImportState.PAUSED):
            raise BadInput("Only an import that is under way can be paused.")

    def resume(self, import_id: str) -> None:
        """Go on with an import that was paused. Raises BadInput."""
        if not self._store.move(import_id, CAN_RESUME, ImportState.RUNNING):
            raise BadInput("Only an import that is paused can be resumed.")

    def confirm(self, import_id: str, first: int | None = None) -> None:
        """Take the entries of a list that has many: all of them, or the first ones alone. With a
        list that asks nothing itself, those of the lists in it. Raises BadInput."""
        found = self._store.get(import_id)
        if found is not None and found.state in CAN_CONFIRM:
            asking = [import_id]
        else:
            asking = self._lists.asking_in(import_id)
        if not asking:
            raise BadInput("There is nothing to confirm.")
        for each in asking:
            if first is not None:
                self._lists.leave_out(each, first)
            self._store.move(each, CAN_CONFIRM, ImportState.RUNNING)

    def look(self, import_id: str) -> None:
        """Look for new entries of a list as soon as possible. Raises BadInput."""
        found = self._store.get(import_id)
        if found is None or not found.of_list or found.state not in FOLLOWED:
            raise BadInput("Resume this list to look for new entries.")
        if found.look_again_at is None:
            raise BadInput("This list gets no new entries.")
        self._lists.look_now(import_id)

    def undo(self, import_id: str) -> None:
        """Look at no further line, and delete what the import has added. Raises BadInput."""
        found = self._store.get(import_id)
        if found and found.of_list:
            raise BadInput("The entries of a list are deleted with the list.")
        if not self._store.move(import_id, CAN_UNDO, ImportState.UNDOING):
            raise BadInput("This import has been undone already.")
