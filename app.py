"""The web application: `flask --app app run`, or any WSGI server with `app:create_app()`."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import click
from flask import Flask, jsonify, render_template, request, send_from_directory, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from allthethings.assets.passages import Shape
from allthethings.assets.tokens import load_counter
from allthethings.errors import IndexingError, NoSuchAsset, ServiceUnavailable
from allthethings.generators import AsyncEmbeddingsGenerator, SyncEmbeddingsGenerator
from allthethings.hookdeck.gateway import Gateway
from allthethings.hosts import names_served
from allthethings.mongo import Database
from allthethings.pipeline import health
from allthethings.pipeline.pipeline import Pipeline
from allthethings.pipeline.progress import Watch
from allthethings.pipeline.reconciler import Reconciler
from allthethings.processors import Tools, pages, sandbox
from allthethings.redaction import HidingFormatter, secrets_of
from allthethings.replicate.client import ReplicateClient
from allthethings.search.local_model import LocalModel
from allthethings.search.query_vectors import Embed, QueryVectors
from allthethings.search.search import Search
from allthethings.sources.fetch import download
from allthethings.web import assets as asset_views
from allthethings.web import feeds as feed_views
from allthethings.web import gateway as gateway_views
from allthethings.web import health as health_views
from allthethings.web import home as views
from allthethings.web import search as search_views
from allthethings.web import webhooks
from allthethings.web.formatting import clock, size, span, when
from allthethings.web.login import require_password
from allthethings.web.security import (
    Sessions,
    is_web_url,
    protect,
    refuse_other_hosts,
    refuse_other_machines,
)
from allthethings.web.submission_form import UPLOADS
from allthethings.web.view_models import wants_json
from config import Settings
from guardedfetch import Fetcher, parse_allow

EXAMPLES = Path(__file__).parent / "examples"
MAX_FORM = 1024 * 1024
MAX_TYPED = 500_000
"""Bytes of a form with a file that are not of the file."""
WEBHOOKS = "/webhooks/"
MACHINES = (WEBHOOKS, "/healthz")
"""Paths that no browser asks for, nor does it show what they answer."""
REFUSALS = {
    404: ("Not found", "There is no such page."),
    405: ("Not allowed", "This address is not asked in this way."),
    413: (
        "Too large",
        f"That is more than one form may hold: a file may have {size(MAX_FORM * UPLOADS)} at the "
        f"most, and what is typed {size(MAX_TYPED)}.",
    ),
    500: (
        "A fault of this app",
        "Something went wrong that nobody foresaw. Whoever runs this app finds more in its log.",
    ),
}
"""Titles, and sentences for where nothing else was said."""


def create_app(settings: Settings | None = None) -> Flask:
    """The app with these settings, or with those of the environment and `.env`."""
    settings = settings or Settings.from_env()
    settings.check()
    _log_without_secrets(settings)

    database = Database(settings.mongo.uri, settings.mongo.name)
    replicate = ReplicateClient(settings.replicate_api_token, settings.replicate_base_url)
    fetcher = Fetcher(parse_allow(settings.fetch_allow), user_agent="index-all-the-things/1.0")
    patience = timedelta(seconds=settings.reconcile_after)
    deadline = timedelta(seconds=settings.prediction_deadline)
    count_tokens = load_counter(settings.tokenizer)
    pipeline = Pipeline(
        database,
        fetcher,
        Tools(replicate, lambda url: download(fetcher, url), settings.audio_webhook_url),
        AsyncEmbeddingsGenerator(replicate, settings.embeddings_webhook_url),
        count_tokens,
        patience,
        Shape(settings.passage_size, settings.passage_overlap, settings.passage_title),
    )
    sandbox.prepare(pages.PRELOAD)
    search = Search(database, QueryVectors(_query_model(settings, replicate), count_tokens))
    parts = health.checks(
        database,
        settings.replicate_base_url,
        settings.replicate_api_token,
        settings.audio_webhook_url,
    )

    app = Flask(__name__)
    app.url_map.merge_slashes = False  # a callback is answered, not sent elsewhere
    app.config.update(
        SECRET_KEY=settings.secret_key,
        MAX_CONTENT_LENGTH=MAX_FORM,
        MAX_FORM_MEMORY_SIZE=MAX_TYPED,
    )
    app.register_blueprint(
        views.create_blueprint(
            pipeline,
            database,
            lambda: _examples(settings.examples_url) if settings.examples_url else (),
        )
    )
    _add_things(app, settings, pipeline, database, replicate)
    app.register_blueprint(search_views.create_blueprint(search, database))
    app.register_blueprint(feed_views.create_blueprint(search, database, settings.app_url))
    app.register_blueprint(health_views.create_blueprint(parts))
    app.register_blueprint(webhooks.create_blueprint(pipeline, settings.hookdeck_webhook_secret))
    _add_protection(app, settings)
    _add_filters(app)
    _add_error_handlers(app)
    _add_reconciler(app, Reconciler(database, replicate, pipeline, patience, deadline))
    if settings.examples_url:
        app.add_url_rule("/examples/<path:name>", "example", _example)
    return app


def _add_things(
    app: Flask,
    settings: Settings,
    pipeline: Pipeline,
    database: Database,
    replicate: ReplicateClient,
) -> None:
    """The pages of things, and with a key those of the gateway, which tells of them."""
    watch = Watch(database, replicate)
    if settings.hookdeck_api_key:
        gateway = Gateway(settings.hookdeck_api_url, settings.hookdeck_api_key)
        app.register_blueprint(gateway_views.create_blueprint(gateway, database))
        things = asset_views.create_blueprint(pipeline, database, watch, gateway.watch)
    else:
        things = asset_views.create_blueprint(pipeline, database, watch)
    app.register_blueprint(things)


def _query_model(settings: Settings, replicate: ReplicateClient) -> Embed:
    """What embeds the queries."""
    cloud = SyncEmbeddingsGenerator(replicate).generate
    if settings.query_embeddings == "local" and settings.query_weights:
        return LocalModel(settings.query_model, settings.query_weights, cloud).embed
    return cloud


def _log_without_secrets(settings: Settings) -> None:
    secrets = {
        settings.secret_key,
        settings.replicate_api_token,
        settings.hookdeck_webhook_secret,
        settings.hookdeck_api_key,
        settings.app_password,
    }
    handler = logging.StreamHandler()
    layout = "%(asctime)s %(levelname)s %(message)s"
    handler.setFormatter(HidingFormatter(layout, secrets | secrets_of(settings.mongo.uri)))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _add_protection(app: Flask, settings: Settings) -> None:
    """In this order: the machine, the host's name, the sending site, the password."""
    if many := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=many, x_proto=many)  # type: ignore[method-assign]
    app.config.update(SESSION_COOKIE_HTTPONLY=True, SESSION_COOKIE_SAMESITE="Lax")
    app.session_interface = Sessions(always=settings.app_url.startswith("https://"))
    if not (settings.app_password or settings.allow_open):
        refuse_other_machines(app, exempt=MACHINES)
    names = names_served(settings.host, settings.app_url)
    if names is not None:
        refuse_other_hosts(app, names, exempt=MACHINES)
    protect(app, exempt=WEBHOOKS)
    if settings.app_password:
        # The models fetch the examples as any other thing, without a password.
        open_paths = (*MACHINES, "/static/", "/examples/")
        require_password(app, settings.app_password, open_paths=open_paths)


def _example(name: str) -> ResponseReturnValue:
    return send_from_directory(EXAMPLES, name, max_age=3600)


def _examples(base: str) -> Sequence[views.Example]:
    entries = json.loads((EXAMPLES / "examples.json").read_text("utf-8"))
    return [
        views.Example(
            entry["title"],
            entry["kind"],
            entry["about"],
            base + url_for("example", name=entry["file"]),
            entry["query"],
        )
        for entry in entries
    ]


def _add_filters(app: Flask) -> None:
    app.add_template_test(is_web_url, "web_url")
    for each in (clock, size, span, when):
        app.add_template_filter(each)


def _add_error_handlers(app: Flask) -> None:
    def answer(
        code: int, title: str, message: str, headers: Sequence[tuple[str, str]] = ()
    ) -> ResponseReturnValue:
        if wants_json() or request.path.startswith(WEBHOOKS):
            return jsonify(error=message), code, [*headers]
        page = render_template("error.html", code=code, title=title, message=message)
        return page, code, [*headers]

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> ResponseReturnValue:
        # Allow, Retry-After and their like; the content is ours.
        headers = [pair for pair in error.get_headers() if pair[0].lower() != "content-type"]
        code, said = error.code or 500, error.description or error.name
        title, ours = REFUSALS.get(code, (error.name, said))
        as_always = error.description == type(error).description
        # A callback is no form.
        of_page = as_always and not request.path.startswith(WEBHOOKS)
        return answer(code, title, ours if of_page else said, headers)

    @app.errorhandler(IndexingError)
    def indexing_error(error: IndexingError) -> ResponseReturnValue:
        if isinstance(error, NoSuchAsset):
            return answer(404, "Not found", str(error))
        if isinstance(error, ServiceUnavailable):
            return answer(503, "Not available", f"{error}. Try again in a moment.")
        return answer(400, "That did not work", str(error))


def _add_reconciler(app: Flask, reconciler: Reconciler) -> None:
    @app.cli.command("reconcile")
    @click.option("--every", type=float, help="Go on for ever, with this many seconds between.")
    def reconcile(every: float | None) -> None:
        """Finish what stopped half-way."""
        while True:
            try:
                taken = reconciler.reconcile()
            except ServiceUnavailable as error:
                app.logger.warning("reconciler: %s", error)
            else:
                if not every:
                    click.echo(f"{taken} things taken up")
            if not every:
                return
            time.sleep(every)
