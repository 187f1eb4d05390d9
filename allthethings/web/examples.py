"""The examples: recordings and pages of our own, to index in the first minute."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, abort, send_from_directory
from flask.typing import ResponseReturnValue

from allthethings.web.services import services

FOLDER = Path(__file__).resolve().parents[2] / "examples"
PATH = "/examples"
# Seconds that a browser may keep an example.
MAX_AGE = 3600

blueprint = Blueprint("examples", __name__, url_prefix=PATH)


@dataclass(frozen=True)
class Example:
    """A thing of our own to index in the first minute; `query` finds it in other words."""

    title: str
    kind: str
    about: str
    url: str
    query: str


@blueprint.get("/<path:name>")
def serve(name: str) -> ResponseReturnValue:
    if not services().examples:
        abort(404)
    return send_from_directory(FOLDER, name, max_age=MAX_AGE)


def load_examples(base: str) -> Sequence[Example]:
    """The examples; `base` is where the models find the app, without a slash at the end."""
    entries = json.loads((FOLDER / "examples.json").read_text("utf-8"))
    return [
        Example(
            entry["title"],
            entry["kind"],
            entry["about"],
            f"{base}{PATH}/{entry['file']}",
            entry["query"],
        )
        for entry in entries
    ]
