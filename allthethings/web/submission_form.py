"""The form for URLs: what was sent, and what it shows with the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from flask import request

from allthethings.errors import BadInput, IndexingError
from allthethings.pipeline.checks import MAX_URLS, Answer, Outcome
from allthethings.pipeline.lists import listed_in
from allthethings.pipeline.submission import Links
from allthethings.sources.lists import lines_of
from allthethings.web.view_models import listed

# Bytes of a form that is no list of URLs.
MAX_FORM = 1024 * 1024
# How many times larger a list of URLs may be: bookmarks hold pictures.
UPLOADS = 8
# Bytes of all the typed fields of a form, or of a list of URLs.
MAX_TYPED = 500_000
MAX_TYPED_LIST = 4_000_000
# Characters of the URLs that stay in the field.
MAX_FIELD = 1_000_000


@dataclass(frozen=True)
class Sent:
    """What a form held.

    `lines` are those that were typed and those of the file. `kept` are lines that only stay in the
    field. `notes` are sentences about the list as a whole.
    """

    lines: Sequence[str]
    kept: Sequence[str] = ()
    notes: Sequence[str] = ()

    @property
    def alone(self) -> bool:
        """Whether the form held one URL and nothing else."""
        return len(self.lines) == 1 and not self.kept and not self.notes


@dataclass(frozen=True)
class Form:
    """What the form shows.

    `urls` is the text of the field. `answers` tell what a check found of each URL. `notes` are
    sentences about the list as a whole. `ready` are the URLs that a check found good, which one
    click indexes; `others` stay in the field then. `import_id` is an import that has just begun.
    `links` is what a page is to be indexed with.
    """

    urls: str = ""
    refused: bool = False
    answers: Sequence[Answer] = ()
    notes: Sequence[str] = ()
    ready: Sequence[str] = ()
    others: Sequence[str] = ()
    import_id: str = ""
    links: str = ""


def allow_lists() -> None:
    """Allow a body as large as a list of URLs can be. Call it before the form is read."""
    if request.max_content_length:
        request.max_content_length *= UPLOADS
    request.max_form_memory_size = MAX_TYPED_LIST


def holds_many() -> bool:
    """Whether the form is one for several URLs."""
    return "urls" in request.form or "file" in request.files


def asked_links() -> Links:
    """What the form wants of the links of a page. Raises BadInput."""
    told = request.form.get("links", "").strip().lower()
    if told not in frozenset(Links):
        raise BadInput(f"“links” is host or all, not “{told[:50]}”.")
    return Links(told)


def asked_video() -> str:
    """The URL of the video that the form names for a subtitle file; empty where it names none."""
    return request.form.get("video_url", "").strip()


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
                f"{found.left_out:,} of the entries are not web addresses and were left out."
            )
    return Sent(lines, lines_of(request.form.get("keep", "")), notes)


def unsent(what: Sent, notes: Sequence[str] = (), import_id: str = "") -> Form:
    """The form with the lines that are only kept."""
    fitting, more = _fitting(what.kept)
    return Form("\n".join(fitting), notes=[*notes, *more], import_id=import_id)


def answered(answers: Sequence[Answer], what: Sent) -> Form:
    """The form with the answers; URLs that are not indexed already stay in its field."""
    left = [answer.url for answer in answers if answer.outcome is not Outcome.KNOWN]
    fitting, more = _fitting([*left, *what.kept])
    notes = [*what.notes, *more]
    if len(answers) > MAX_URLS:
        notes.append(f"{MAX_URLS} URLs are checked at a time. The rest are in the field above.")
    ready = [answer.url for answer in answers if answer.outcome is Outcome.READY]
    others = [line for line in fitting if line not in set(ready)]
    return Form("\n".join(fitting), False, answers, notes, ready, others)


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


def _fitting(lines: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """The lines that fit into the field, without duplicates, and what is to say of the others."""
    once = list(dict.fromkeys(lines))
    ends = accumulate(len(line) + 1 for line in once)
    fitting = once[: sum(end <= MAX_FIELD for end in ends)]
    more = len(once) - len(fitting)
    told = [f"{more:,} more URLs do not fit in the field. Send them separately."] if more else []
    return fitting, told
