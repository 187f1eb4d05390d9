"""The web application: `flask --app app run`, or any WSGI server with `app:create_app()`."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from allthethings import health
from allthethings.assets.locators import clock
from allthethings.assets.passages import Shape
from allthethings.assets.tokens import load_counter
from allthethings.generators import AsyncEmbeddingsGenerator, SyncEmbeddingsGenerator
from allthethings.hookdeck.gateway import Gateway
from allthethings.hosts import names_served
from allthethings.mongo import Database
from allthethings.pipeline.imports import Imports
from allthethings.pipeline.pipeline import create_pipeline
from allthethings.pipeline.progress import Watch
from allthethings.pipeline.reconciler import Reconciler
from allthethings.processors import Tools, preload, sandbox
from allthethings.redaction import log_without, secrets_of
from allthethings.replicate.client import ReplicateClient
from allthethings.search.local_model import LocalModel
from allthethings.search.query_vectors import Embed, QueryVectors
from allthethings.search.search import Search
from allthethings.sources.fetch import download
from allthethings.web import (
    assets,
    commands,
    examples,
    feeds,
    gateway,
    home,
    search,
    security,
    webhooks,
)
from allthethings.web import health as health_pages
from allthethings.web.errors import WEBHOOKS, register_error_handlers
from allthethings.web.formatting import capped, size, span, when
from allthethings.web.login import require_password
from allthethings.web.services import Services, provide
from allthethings.web.submission_form import MAX_FORM, MAX_TYPED
from config import Settings
from guardedfetch import Fetcher, parse_allow

# The beginnings of the paths for machines: no HTML, no login form, no check of the host name.
MACHINES = (WEBHOOKS, "/healthz")
# The beginnings of the paths that ask for no password. The models fetch the examples as they
# fetch any other URL.
OPEN_PATHS = (*MACHINES, "/static/", "/examples/")


def create_app(settings: Settings | None = None) -> Flask:
    """The app with these settings, or with those of the environment and `.env`."""
    settings = settings or Settings.from_env()
    settings.check()
    log_without(_secrets(settings))
    sandbox.prepare(preload())
    database = Database(settings.mongo.uri, settings.mongo.name)
    replicate = ReplicateClient(settings.replicate_api_token, settings.replicate_base_url)
    services = create_services(settings, database, replicate)
    app = create_web(settings, services)
    patience = timedelta(seconds=settings.reconcile_after)
    deadline = timedelta(seconds=settings.prediction_deadline)
    reconciler = Reconciler(database, replicate, services.pipeline, patience, deadline)
    commands.add_reconcile_command(app, reconciler)
    return app


def create_services(settings: Settings, database: Database, replicate: ReplicateClient) -> Services:
    """The parts that the routes work with."""
    fetcher = Fetcher(parse_allow(settings.fetch_allow), user_agent="index-all-the-things/1.0")
    count_tokens = load_counter(settings.tokenizer)
    pipeline = create_pipeline(
        database,
        fetcher,
        Tools(replicate, partial(download, fetcher), settings.webhook_urls),
        AsyncEmbeddingsGenerator(replicate, settings.embeddings_webhook_url),
        count_tokens,
        timedelta(seconds=settings.reconcile_after),
        Shape(settings.passage_size, settings.passage_overlap, settings.passage_title),
    )
    return Services(
        database=database,
        pipeline=pipeline,
        imports=Imports(pipeline.submission),
        search=Search(database, QueryVectors(_query_model(settings, replicate), count_tokens)),
        watch=Watch(database, replicate),
        gateway=create_gateway(settings),
        health=health.checks(
            database,
            settings.replicate_base_url,
            settings.replicate_api_token,
            settings.embeddings_webhook_url,
        ),
        app_url=settings.app_url,
        examples=examples.load_examples(base) if (base := settings.examples_url) else (),
        webhook_secret=settings.hookdeck_webhook_secret,
    )


def create_web(settings: Settings, services: Services) -> Flask:
    """The pages, the API and the callbacks over these parts."""
    app = Flask(__name__)
    app.url_map.merge_slashes = False  # a callback is answered, not redirected
    app.config.update(
        SECRET_KEY=settings.secret_key,
        MAX_CONTENT_LENGTH=MAX_FORM,
        MAX_FORM_MEMORY_SIZE=MAX_TYPED,
    )
    provide(app, services)
    for part in (home, assets, search, feeds, gateway, examples, webhooks, health_pages):
        app.register_blueprint(part.blueprint)
    app.add_template_test(security.is_web_url, "web_url")
    for each in (capped, clock, size, span, when):
        app.add_template_filter(each)
    _protect(app, settings)
    register_error_handlers(app)
    return app


def create_gateway(settings: Settings) -> Gateway | None:
    """The gateway's API, where the app has a key of it."""
    if not settings.hookdeck_api_key:
        return None
    return Gateway(settings.hookdeck_api_url, settings.hookdeck_api_key)


def _query_model(settings: Settings, replicate: ReplicateClient) -> Embed:
    """What embeds the queries."""
    cloud = SyncEmbeddingsGenerator(replicate).generate
    if settings.query_embeddings == "local" and settings.query_weights:
        return LocalModel(settings.query_model, settings.query_weights, cloud).embed
    return cloud


def _secrets(settings: Settings) -> set[str]:
    """What must not be in a log."""
    return {
        settings.secret_key,
        settings.replicate_api_token,
        settings.hookdeck_webhook_secret,
        settings.hookdeck_api_key,
        settings.app_password,
        *secrets_of(settings.mongo.uri),
    }


def _protect(app: Flask, settings: Settings) -> None:
    """Check, in this order, the machine, the host's name, the sending site and the password."""
    if many := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=many, x_proto=many)  # type: ignore[method-assign]
    app.config.update(SESSION_COOKIE_HTTPONLY=True, SESSION_COOKIE_SAMESITE="Lax")
    app.session_interface = security.Sessions(always=settings.app_url.startswith("https://"))
    if not (settings.app_password or settings.allow_open):
        security.refuse_other_machines(app, exempt=MACHINES)
    names = names_served(settings.host, settings.app_url)
    if names is not None:
        security.refuse_other_hosts(app, names, exempt=MACHINES)
    security.protect(app, exempt=WEBHOOKS)
    if settings.app_password:
        require_password(app, settings.app_password, open_paths=OPEN_PATHS)
