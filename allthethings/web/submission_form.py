"""The form for URLs: what was sent, and what it shows with the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from flask import request

from allthethings.errors import IndexingError
from allthethings.pipeline.imports import MAX_URLS, Answer, Outcome, lines_of, listed_in
from allthethings.web.view_models import listed

# Bytes of a form without a file.
MAX_FORM = 1024 * 1024
# How many times larger a form with a file may be: bookmarks hold pictures.
UPLOADS = 8
# Bytes of all the typed fields of a form.
MAX_TYPED = 500_000
# URLs that one form takes. Those that are not looked at stay in the field.
MAX_LINES = 5_000
# Characters of the URLs that stay in the field.
MAX_FIELD = 200_000
# Outcomes after which a URL does not stay in the field.
SETTLED = {Outcome.INDEXED, Outcome.KNOWN}


@dataclass(frozen=True)
class Sent:
    """What a form held.

    `lines` are those that were typed and those of the file, up to MAX_LINES. `kept` are lines
    that only stay in the field, among them those beyond MAX_LINES if there were `too_many`.
    `notes` are sentences about the list as a whole.
    """

    lines: Sequence[str]
    kept: Sequence[str] = ()
    notes: Sequence[str] = ()
    too_many: bool = False

    @property
    def alone(self) -> bool:
        """Whether the form held one URL and nothing else."""
        return len(self.lines) == 1 and not self.kept and not self.notes


@dataclass(frozen=True)
class Form:
    """What the form shows.

    `urls` is the text of the field. `answers` tell what became of each URL that was `done`:
    "checked" or "indexed". `notes` are sentences about the list as a whole. `ready` are the URLs
    that a check found good, which one click indexes; `others` stay in the field then.
    """

    urls: str = ""
    refused: bool = False
    answers: Sequence[Answer] = ()
    done: str = ""
    notes: Sequence[str] = ()
    ready: Sequence[str] = ()
    others: Sequence[str] = ()


def allow_files() -> None:
    """Allow a larger body if the form can hold a file. Call it before the form is read."""
    if request.mimetype == "multipart/form-data" and request.max_content_length:
        request.max_content_length *= UPLOADS


def holds_many() -> bool:
    """Whether the form is one for several URLs."""
    return "urls" in request.form or "file" in request.files


def typed() -> str:
    """The text of the field for URLs."""
    return "\n".join(request.form.getlist("url") + request.form.getlist("urls"))


def sent() -> Sent:
    """What the form holds. A file that cannot be read becomes a note."""
    lines, notes = lines_of(typed()), []
    for file in request.files.getlist("file"):
        try:
            found = listed_in(file.read())
        except IndexingError as error:
            notes.append(str(error))
            continue
        lines += found.lines
        if found.left_out:
            notes.append(
                f"{found.left_out:,} of the links are not web addresses and were left out."
            )
    kept = [*lines[MAX_LINES:], *lines_of(request.form.get("keep", ""))]
    return Sent(lines[:MAX_LINES], kept, notes, len(lines) > MAX_LINES)


def answered(answers: Sequence[Answer], done: str, what: Sent) -> Form:
    """The form with the answers; the URLs that are not settled stay in its field."""
    left = [answer.url for answer in answers if answer.outcome not in SETTLED]
    fitting = _fitting([*left, *what.kept])
    notes = list(what.notes)
    if more := len({*left, *what.kept}) - len(fitting):
        notes.append(f"{more:,} more URLs do not fit in the field. Send them separately.")
    if len(answers) > MAX_URLS:
        notes.append(f"{MAX_URLS} URLs are checked at a time. The rest are in the field above.")
    ready = [answer.url for answer in answers if answer.outcome is Outcome.READY]
    others = [line for line in fitting if line not in set(ready)]
    return Form("\n".join(fitting), False, answers, done, notes, ready, others)


def answer_as_json(answer: Answer) -> dict[str, Any]:
    """The answer as JSON."""
    entry: dict[str, Any] = {
        "url": answer.url,
        "outcome": answer.outcome.value,
        "message": answer.message,
        "code": answer.code,
        "times": answer.times,
        "asset": listed(answer.asset) if answer.asset else None,
    }
    if answer.preview:
        entry |= {
            "kind": answer.preview.kind,
            "content_length": answer.preview.content_length,
            "title": answer.preview.title,
        }
    return entry


def _fitting(lines: Sequence[str]) -> Sequence[str]:
    """The lines that fit into the field, without duplicates."""
    once = list(dict.fromkeys(lines))
    ends = accumulate(len(line) + 1 for line in once)
    return once[: sum(end <= MAX_FIELD for end in ends)]
