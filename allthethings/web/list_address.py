"""The list in an address: which assets, in which order, and which page of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import request, url_for

from allthethings.assets.asset import FAILED, UNFINISHED, Asset, AssetStatus
from allthethings.errors import BadInput
from allthethings.store.asset_list import (
    ASSETS_PER_PAGE,
    COUNT_LIMIT,
    AssetFilter,
    AssetPage,
    PageRequest,
    Position,
)
from allthethings.web.view_models import number_of

# The most assets on a page, whatever the address asks for.
MAX_ASSETS_PER_PAGE = 200
SORTS = ("newest", "oldest")
LAST = "last"
# What the page calls groups of statuses.
GROUPS: Mapping[str, frozenset[AssetStatus]] = {
    "under-way": UNFINISHED,
    "searchable": frozenset({AssetStatus.SEARCHABLE}),
    "failed": FAILED,
}
# Milliseconds since 1970, and the id of an asset.
POSITION = re.compile(r"(\d{1,14})-([0-9a-f]{24})", re.ASCII)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ListAddress:
    """What the address asks for; `chosen` are the parameters that every page of it shares."""

    wanted: PageRequest = field(default_factory=PageRequest)
    chosen: Mapping[str, Any] = field(default_factory=dict)

    def links(self, page: AssetPage) -> dict[str, str | None]:
        """The addresses of the pages around this one. Those before and after name the asset at
        the edge, so that they stay right while assets come and go."""
        before = page.assets[0] if page.assets and page.more_before else None
        after = page.assets[-1] if page.assets and page.more_after else None
        return {
            "previous": self._link(before=_position(before)) if before else None,
            "next": self._link(after=_position(after)) if after else None,
            "last": self._link(page=LAST) if after else None,
        }

    def _link(self, **place: str) -> str:
        return url_for("home.index", **{**self.chosen, **place})


def asked_for(kinds: Collection[str]) -> ListAddress:
    """What the request's address asks for. Raises BadInput, in words."""
    status = request.args.get("status", "").strip()
    kind = request.args.get("kind", "").strip()
    sort = request.args.get("sort", "").strip() or SORTS[0]
    if kind and kind not in kinds:
        raise BadInput(f"There is no kind “{kind}”. The kinds are: {', '.join(kinds)}.")
    if sort not in SORTS:
        raise BadInput(f"Things can be sorted {' or '.join(SORTS)} first, not “{sort}”.")
    size = number_of("per_page", ASSETS_PER_PAGE, MAX_ASSETS_PER_PAGE)
    chosen = {"status": status, "kind": kind, "sort": "" if sort == SORTS[0] else sort}
    if size != ASSETS_PER_PAGE:
        chosen["per_page"] = str(size)
    wanted = PageRequest(
        AssetFilter(_statuses(status), kind or None),
        oldest_first=sort == "oldest",
        size=size,
        number=_page(size),
        after=_asked_position("after"),
        before=_asked_position("before"),
        last=request.args.get("page") == LAST,
    )
    return ListAddress(wanted, {name: value for name, value in chosen.items() if value})


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


def _page(size: int) -> int:
    furthest = COUNT_LIMIT // size
    number = number_of("page", 1, furthest + 1)
    if number > furthest:
        raise BadInput(
            f"Pages have numbers up to {furthest:,}. Further on, follow the links from page to "
            f"page, or begin at the other end with page={LAST}."
        )
    return number


def _position(asset: Asset) -> str:
    return f"{(asset.created_at - EPOCH) // timedelta(milliseconds=1)}-{asset.id}"


def _asked_position(name: str) -> Position | None:
    value = request.args.get(name, "").strip()
    if not value:
        return None
    found = POSITION.fullmatch(value)
    if found is None:
        raise BadInput(
            f"“{name}” is a position in the list, copied from a link to another page, "
            f"not “{value[:50]}”."
        )
    return Position(EPOCH + timedelta(milliseconds=int(found[1])), found[2])
