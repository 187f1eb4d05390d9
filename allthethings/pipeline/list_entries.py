"""The entries of a list become lines of an import of its own, each of which becomes a thing."""

from __future__ import annotations

import logging
from datetime import timedelta

from allthethings.assets.asset import Asset
from allthethings.assets.imports import FOLLOWED, Import, ImportState
from allthethings.assets.lists import MAX_ENTRIES, Listing
from allthethings.assets.members import is_member
from allthethings.mongo import Database
from allthethings.store.documents import now

log = logging.getLogger(__name__)

# The most new entries of a list that are indexed without a question.
UNASKED = 50
# Seconds between two looks at a list: those that a list may ask for, and those of one that asks for
# none. Feeds are written to be looked at often.
SHORTEST, LONGEST = 15 * 60, 7 * 86_400
OF_FEEDS, OF_OTHERS = 3_600, 86_400
OFTEN = frozenset({"feed", "podcast", "list of links"})


class ListEntries:
    """Takes the entries of lists: `most` of a list with all lists in it. One serves any number of
    threads."""

    def __init__(self, database: Database, most: int = MAX_ENTRIES) -> None:
        self._imports = database.imports
        self._lists = database.lists
        self._members = database.members
        self._most = most

    def take(self, asset: Asset, listing: Listing) -> None:
        """Take the entries of a list that was read for the first time, or once more. Raises
        ServiceUnavailable."""
        outer = self._imports.get(asset.import_id) if asset.import_id else None
        made = self._lists.open(asset.id, outer if outer and outer.of_list else None)
        self._imports.move(made.id, frozenset({ImportState.PAUSED}), ImportState.RUNNING)
        self.add(made, asset, listing)
        if listing.closed or is_member(asset.url):  # a file in an archive stays as it is
            return
        wait = wait_of(listing)
        self._lists.plan(asset.id, wait, {"look_again_at": now() + timedelta(seconds=wait)})

    def add(self, made: Import, asset: Asset, listing: Listing) -> int:
        """Add those entries that are new. Returns how many there were. Raises
        ServiceUnavailable."""
        entries = [entry for entry in listing.entries if entry.url != asset.url]
        new = self._lists.unknown(made, entries)
        room = max(0, self._most - self._lists.size_below(made.root_id or made.id))
        taken = new[:room]
        if len(taken) > UNASKED and not listing.closed:
            self._imports.move(made.id, FOLLOWED, ImportState.ASKING)
        self._lists.append(made, taken)  # also if none: a worker may have died at it
        if taken:
            log.info("list %s has %d new entries", asset.id, len(taken))
        if len(new) > room:
            self._lists.note(made.id, [_no_room(len(new) - room, self._most)])
        self.wake(made.id)
        return len(taken)

    def wake(self, list_id: str) -> None:
        """Go on with the entries of a list if any wait. Raises ServiceUnavailable."""
        if self._imports.waits(list_id):
            self._imports.move(list_id, frozenset({ImportState.DONE}), ImportState.RUNNING)

    def pause(self, asset_id: str) -> None:
        """A list was cancelled while its entries were taken. They wait until it is tried again."""
        self._imports.move(asset_id, frozenset({ImportState.RUNNING}), ImportState.PAUSED)

    def withdraw(self, asset_id: str) -> None:
        """A list was deleted while its entries were taken."""
        self._lists.begin_removal(asset_id, with_things=True)
        self._members.delete(asset_id)


def wait_of(listing: Listing) -> float:
    """Seconds until a list is looked at again."""
    usual = OF_FEEDS if listing.noun in OFTEN else OF_OTHERS
    return min(max(listing.wait or usual, SHORTEST), LONGEST)


def _no_room(left: int, most: int) -> str:
    return (
        f"{left:,} more {'entry was' if left == 1 else 'entries were'} left out: a list may have "
        f"at most {most:,}, including the lists in it (LIST_ENTRIES)."
    )
