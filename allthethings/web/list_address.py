"""The list in an address: which things, in which order, from where on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import request

from allthethings.assets.asset import FAILED, UNFINISHED, AssetStatus
from allthethings.errors import BadInput
from allthethings.store.asset_list import Place, Wanted
from allthethings.web.view_models import number_of

PER_PAGE = 20
MAX_PER_PAGE = 200
MAX_PAGE = 100_000
SORTS = ("newest", "oldest")
GROUPS: Mapping[str, frozenset[AssetStatus]] = {
    "under-way": UNFINISHED,
    "searchable": frozenset({AssetStatus.SEARCHABLE}),
    "failed": FAILED,
}
"""What the page calls groups of statuses."""


@dataclass(frozen=True)
class ListAddress:
    """What the address asks for; `chosen` are the parameters that every page of it shares."""

    wanted: Wanted = field(default_factory=Wanted)
    place: Place = field(default_factory=Place)
    size: int = PER_PAGE
    chosen: Mapping[str, Any] = field(default_factory=dict)


def asked_for(kinds: Collection[str]) -> ListAddress:
    """What the request's address asks for. Raises BadInput, in words."""
    status = request.args.get("status", "").strip()
    kind = request.args.get("kind", "").strip()
    sort = request.args.get("sort", "").strip() or SORTS[0]
    if kind and kind not in kinds:
        raise BadInput(f"There is no kind “{kind}”. The kinds are: {', '.join(kinds)}.")
    if sort not in SORTS:
        raise BadInput(f"Things can be sorted {' or '.join(SORTS)} first, not “{sort}”.")
    size = number_of("per_page", PER_PAGE, MAX_PER_PAGE)
    chosen = {"status": status, "kind": kind, "sort": "" if sort == SORTS[0] else sort}
    if size != PER_PAGE:
        chosen["per_page"] = str(size)
    return ListAddress(
        Wanted(_statuses(status), kind or None, sort == "oldest"),
        Place(number_of("page", 1, MAX_PAGE), _number("after"), _number("before")),
        size,
        {name: value for name, value in chosen.items() if value},
    )


def _statuses(name: str) -> frozenset[AssetStatus]:
    if not name:
        return frozenset()
    if name.lower() in GROUPS:
        return GROUPS[name.lower()]
    try:
        return frozenset({AssetStatus(name.upper())})
    except ValueError:
        known = ", ".join([*GROUPS, *AssetStatus])
        raise BadInput(f"There is no status “{name}”. The statuses are: {known}.") from None


def _number(name: str) -> int | None:
    value = request.args.get(name, "").strip()
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 16):
        raise BadInput(f"“{name}” is the number of a thing, not “{value[:50]}”.")
    return int(value)
