"""Many URLs are indexed at once, as a person does with a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from tools.harness.person import Person
from tools.harness.waiting import wait_for

# Lines of one import.
MAX_LINES = 10_000


def index_all(
    person: Person, urls: Sequence[str], moved: Callable[[], object] | None = None
) -> dict[str, int]:
    """Submit the URLs, and wait until nothing more happens to them. `moved` tells how far they are;
    by default the number of things in each status does. Returns those numbers, of the whole
    copy."""
    for first in range(0, len(urls), MAX_LINES):
        lines = "\n".join(urls[first : first + MAX_LINES]).encode()
        answer = person.http.post("/process", files={"file": ("list.txt", lines)})
        answer.raise_for_status()
        is_done = partial(_is_done, person, answer.headers["Location"])
        wait_for(is_done, "every page", pause=1.0, moved=moved or partial(_counts, person))
    return _counts(person)


def _is_done(person: Person, imported: str) -> bool:
    """Whether every line was looked at, and nothing is under way."""
    told = person.http.get(imported).json()["import"]
    now = person.http.get("/", params={"per_page": 1}).json()
    return told["state"] == "done" and not now["under_way"]


def _counts(person: Person) -> dict[str, int]:
    return dict(person.http.get("/", params={"per_page": 1}).json()["counts"])
