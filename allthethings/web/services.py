"""What the routes work with: made once for each app, found through the app that answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from flask import Flask, current_app

from allthethings.health import Health
from allthethings.hookdeck.gateway import Gateway
from allthethings.mongo import Database
from allthethings.pipeline.checks import Checks
from allthethings.pipeline.imports import Imports
from allthethings.pipeline.pipeline import Pipeline
from allthethings.pipeline.progress import Watch
from allthethings.search.answers import Answers
from allthethings.search.search import Search

if TYPE_CHECKING:
    from allthethings.web.examples import Example

EXTENSION = "allthethings"


@dataclass(frozen=True)
class Services:
    """The parts of one app.

    `gateway` is None without a key of the gateway's API. `app_url` is where people know the app,
    empty if nobody has said so. `webhook_secret` is what the gateway signs its deliveries with.
    `prepare` loads what the first request would otherwise wait for.
    """

    database: Database
    pipeline: Pipeline
    imports: Imports
    checks: Checks
    search: Search
    watch: Watch
    answers: Answers = field(default_factory=lambda: Answers(None, None))
    gateway: Gateway | None = None
    health: Health = field(default_factory=lambda: Health({}))
    app_url: str = ""
    examples: Sequence[Example] = ()
    webhook_secret: str = field(default="", repr=False)
    prepare: Callable[[], None] = lambda: None


def provide(app: Flask, parts: Services) -> None:
    """Give the app's routes these parts."""
    app.extensions[EXTENSION] = parts


def services() -> Services:
    """The parts of the app that answers the request."""
    return parts_of(current_app)


def parts_of(app: Flask) -> Services:
    return cast(Services, app.extensions[EXTENSION])
