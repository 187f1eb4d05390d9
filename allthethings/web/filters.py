"""The filters on the search page: those that hold, and those that would narrow what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from allthethings.search.results import Facets
from allthethings.search.syntax import FIELDS, FILTERS, typed_filters

# Values of one facet on the page.
MOST = 6


@dataclass(frozen=True)
class Chip:
    """A filter to remove or to add: the fields of the page's address that this `changes`, and of a
    filter to add, the `count` of the counted things that meet it."""

    label: str
    changes: Mapping[str, str]
    count: int = 0


def active(given: Mapping[str, str]) -> list[Chip]:
    """The filters that hold, from the fields of the form and from the text of the query."""
    held = {name: given[name] for name in FIELDS if given[name]}
    chips = []
    if year := _year(given):
        chips.append(Chip(f"Added in: {year}", {"after": "", "before": ""}))
        held = {name: value for name, value in held.items() if name not in ("after", "before")}
    chips += [Chip(f"{FILTERS[name].label}: {held[name]}", {name: ""}) for name in held]
    typed = typed_filters(given["query"])
    return chips + [Chip(text, {"query": without}) for text, without in typed]


def narrower(given: Mapping[str, str], facets: Facets) -> list[tuple[str, Sequence[Chip]]]:
    """The filters that would leave some of the counted things, under the names of the facets."""
    groups = {
        "Kind": [Chip(kind, {"kind": kind}, count) for kind, count in facets.kinds.items()],
        "Site": [Chip(site, {"site": site}, count) for site, count in facets.sites.items()],
    }
    if not given["after"] and not given["before"]:
        groups["Added in"] = [
            Chip(year, {"after": year, "before": str(int(year) + 1)}, count)
            for year, count in facets.years.items()
        ]
    some = {
        name: list(islice((chip for chip in chips if chip.count < facets.things), MOST))
        for name, chips in groups.items()
    }
    return [(name, chips) for name, chips in some.items() if chips]


def plain_facets(facets: Facets) -> dict[str, Any]:
    """The counts as JSON."""
    counts = {"kind": facets.kinds, "site": facets.sites, "year": facets.years}
    listed = {
        name: [{"value": value, "count": count} for value, count in found.items()]
        for name, found in counts.items()
    }
    return {"things": facets.things, **listed}


def _year(given: Mapping[str, str]) -> str:
    """The year that `after` and `before` enclose, if it is one year."""
    after, before = given["after"], given["before"]
    one = len(after) == 4 and after.isdecimal() and before == str(int(after) + 1)
    return after if one else ""
