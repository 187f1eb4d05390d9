"""What the page of a list shows of its entries."""

from __future__ import annotations

from typing import Any

from allthethings.assets.asset import FAILED, UNFINISHED, Asset, AssetStatus
from allthethings.assets.imports import CAN_CONFIRM, CAN_RESUME, FOLLOWED, Fate, Import, ImportState
from allthethings.pipeline.list_entries import UNASKED
from allthethings.web.services import services
from allthethings.web.view_models import shown

# Things that failed, and entries that were refused, on the page of a list.
TROUBLED = 20


def things_of(found: Import) -> dict[str, int] | None:
    """How many things of a list are in each group of statuses; None for another import."""
    if not found.of_list:
        return None
    lists = services().database.lists
    groups = {
        "searchable": frozenset({AssetStatus.SEARCHABLE}),
        "under way": UNFINISHED,
        "failed": FAILED,
    }
    return {name: lists.count(found.id, statuses) for name, statuses in groups.items()}


def acts(found: Import) -> dict[str, bool]:
    """What can be done with an import, by the names that templates know."""
    return {
        "can_pause": found.can_pause,
        "can_resume": found.state in CAN_RESUME,
        "can_undo": found.can_undo,
        "can_look": found.look_again_at is not None and found.state in FOLLOWED,
        "can_confirm": found.state in CAN_CONFIRM,
    }


def _asking_in(found: Import) -> list[dict[str, Any]]:
    """The lists in a list that ask a question."""
    database = services().database
    things = database.assets.many(database.lists.asking_in(found.id))
    return [shown(each) for each in things.values()]


def parents_of(thing: Asset) -> list[dict[str, Any]]:
    """The lists that have a thing."""
    found = services().database.assets.many(each for each in thing.list_ids if each != thing.id)
    return [shown(found[each]) for each in thing.list_ids if each in found]


def list_import(thing: Asset) -> Import | None:
    """The import with the entries of a list; None for what is no list, or has none yet."""
    found = services().database.imports.get(thing.id)
    return found if found and found.of_list and found.state is not ImportState.REMOVING else None


def problems_of(found: Import) -> dict[str, Any]:
    """What failed of a list, and the question that it asks."""
    database = services().database
    failed = database.lists.things(found.id, FAILED, TROUBLED)
    return {
        "failed": [shown(each) for each in failed],
        "refused": database.imports.page(found.id, TROUBLED, fate=Fate.REFUSED),
        "asking": _asking_in(found),
        "unasked": UNASKED,
    }
