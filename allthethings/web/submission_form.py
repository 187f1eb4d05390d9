"""The form for URLs: what was sent in it, and what it shows with the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from flask import request

from allthethings.errors import IndexingError
from allthethings.pipeline.imports import MOST, Answer, Outcome, lines_of, listed_in
from allthethings.web.view_models import listed

# Bytes of a form without a file.
MAX_FORM = 1024 * 1024
# How many times larger a form with a file may be: bookmarks hold pictures.
UPLOADS = 8
# Bytes of all the typed fields of a form.
MAX_TYPED = 500_000
MOST_LINES = 5_000
"""URLs in one form: more than are looked at for it, for the rest comes back."""
MAX_FIELD = 200_000
"""Characters of URLs that come back in the field; no form may hold much more."""
SETTLED = {Outcome.INDEXED, Outcome.KNOWN}
"""What need not stay in the field."""


@dataclass(frozen=True)
class Sent:
    """The lines that were typed and those of the file; those that are only `kept` for later,
    some of them as it was `too_many`; and what to say of them as a whole."""

    lines: Sequence[str]
    kept: Sequence[str] = ()
    notes: Sequence[str] = ()
    too_many: bool = False

    @property
    def alone(self) -> bool:
        """Whether it is one URL and nothing else."""
        return len(self.lines) == 1 and not self.kept and not self.notes


@dataclass(frozen=True)
class Form:
    """What the form shows. `urls` is the field's text; `answers` are those to having `done`:
    checked, or indexed; `notes` are about the list as a whole. Of the field's lines a check found
    some `ready`, and one click indexes them and brings back the `others`."""

    urls: str = ""
    refused: bool = False
    answers: Sequence[Answer] = ()
    done: str = ""
    notes: Sequence[str] = ()
    ready: Sequence[str] = ()
    others: Sequence[str] = ()


def allow_files() -> None:
    """Let the form be larger if it can hold a file; to be called before anything reads it."""
    if request.mimetype == "multipart/form-data" and request.max_content_length:
        request.max_content_length *= UPLOADS


def holds_many() -> bool:
    """Whether the form is one for several URLs."""
    return "urls" in request.form or "file" in request.files


def typed() -> str:
    """What stands in the form's field for several URLs."""
    return "\n".join(request.form.getlist("url") + request.form.getlist("urls"))


def sent() -> Sent:
    """What the form holds. A file that cannot be read is a note, and holds up nothing."""
    lines, notes = lines_of(typed()), []
    for file in request.files.getlist("file"):
        try:
            found = listed_in(file.read())
        except IndexingError as error:
            notes.append(str(error))
            continue
        lines += found.lines
        if found.left_out:
            notes.append(f"{found.left_out:,} of the links lead to no web page and were left out.")
    kept = [*lines[MOST_LINES:], *lines_of(request.form.get("keep", ""))]
    return Sent(lines[:MOST_LINES], kept, notes, len(lines) > MOST_LINES)


def answered(answers: Sequence[Answer], done: str, what: Sent) -> Form:
    """The form after that: what is not settled stays in its field."""
    left = [answer.url for answer in answers if answer.outcome not in SETTLED]
    fitting = _fitting([*left, *what.kept])
    notes = list(what.notes)
    if more := len({*left, *what.kept}) - len(fitting):
        notes.append(f"{more:,} more URLs do not fit into the field: send them by themselves.")
    if len(answers) > MOST:
        notes.append(f"{MOST} URLs are looked at at a time; the others are in the field above.")
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
    """Those lines that fit into the field, each once."""
    once = list(dict.fromkeys(lines))
    ends = accumulate(len(line) + 1 for line in once)
    return once[: sum(end <= MAX_FIELD for end in ends)]
