"""URLs that were sent at once, or that a list has, and what became of each of them.

A list, which is a thing itself, has an import of the same id. The import of a list never ends: new
entries become further lines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from allthethings.assets.looks import Looks


class Fate(StrEnum):
    """What became of a line. `UNDONE` is a line of an import that was undone, if it had added a
    thing or was still waiting; `LEFT_OUT` is an entry of a list that a person did not want."""

    WAITING = "waiting"
    INDEXED = "indexed"
    KNOWN = "already indexed"
    REFUSED = "refused"
    UNDONE = "undone"
    LEFT_OUT = "left out"


class ImportState(StrEnum):
    """Where an import is. `ARRIVING` is one whose lines are not all stored yet: nobody was told
    of it. `ASKING` is that of a list with so many entries that a person has to confirm them, and
    `REMOVING` that of a list that was deleted."""

    ARRIVING = "arriving"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    UNDOING = "undoing"
    UNDONE = "undone"
    ASKING = "to be confirmed"
    REMOVING = "removing"


# The states that a person's act may come from. A list is followed when its lines are done, and can
# be paused then too; it is not undone but deleted.
CAN_PAUSE = frozenset({ImportState.RUNNING})
CAN_PAUSE_LIST = frozenset({ImportState.RUNNING, ImportState.DONE})
CAN_RESUME = frozenset({ImportState.PAUSED})
CAN_UNDO = frozenset({ImportState.RUNNING, ImportState.PAUSED, ImportState.DONE})
CAN_CONFIRM = frozenset({ImportState.ASKING})
# A list is looked at for new entries in these states.
FOLLOWED = frozenset({ImportState.RUNNING, ImportState.DONE})
# How many lists may stand one in the other: a list of feeds, and the feeds.
MAX_DEPTH = 1


@dataclass(frozen=True)
class Import:
    """One import. `id` is 24 hex digits; `size` counts its lines; `counts` has the lines of each
    fate, where they were counted; `notes` are sentences about the list as a whole.

    `depth` is None unless it is the import of a list: 0 for one that a person sent, more for one
    that stands in another. `root_id` is the outermost of those lists. `look_again_at` is when a
    list is looked at for new entries, `looks` what the looks found, and `wait` the seconds between
    two of them; `new` counts the entries that the last look added. A list that gets no new entries,
    such as an archive, has no `look_again_at`."""

    id: str
    state: ImportState
    size: int
    created_at: datetime
    notes: tuple[str, ...] = ()
    counts: Mapping[Fate, int] = field(default_factory=dict)
    depth: int | None = None
    root_id: str | None = None
    look_again_at: datetime | None = None
    looks: Looks = field(default_factory=Looks)
    wait: float | None = None
    new: int | None = None

    @property
    def of_list(self) -> bool:
        """Whether its lines are the entries of a list."""
        return self.depth is not None

    @property
    def can_pause(self) -> bool:
        return self.state in self.can_pause_in

    @property
    def can_pause_in(self) -> frozenset[ImportState]:
        """The states in which it can be paused."""
        return CAN_PAUSE if self.look_again_at is None else CAN_PAUSE_LIST

    def is_due(self, at: datetime) -> bool:
        """Whether new entries are being looked for, or about to be, at that moment."""
        return (
            self.look_again_at is not None and self.look_again_at <= at and self.state in FOLLOWED
        )

    @property
    def can_undo(self) -> bool:
        return not self.of_list and self.state in CAN_UNDO


@dataclass(frozen=True)
class Line:
    """One line of an import, counted from 1. `message` and `error_code` tell why it was refused,
    or what it waits for; `times` counts its copies in the list; `looks` counts how often its URL
    was looked at in vain, `claims` how often a worker took it. `told` is what a list says of its
    entry, by the names of an asset's fields, and `depth` the one of that list. `lease_owner` is the
    token of its lease, only where the caller holds that."""

    import_id: str
    number: int
    url: str
    fate: Fate = Fate.WAITING
    message: str = ""
    error_code: str | None = None
    asset_id: str | None = None
    times: int = 1
    looks: int = 0
    claims: int = 0
    told: Mapping[str, Any] = field(default_factory=dict)
    depth: int | None = None
    lease_owner: str | None = field(default=None, repr=False)
