"""The web application: served by `python -m serve`, or for development `flask --app app run`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from allthethings import health
from allthethings.assets.locators import clock
from allthethings.assets.members import path_in_archive
from allthethings.assets.passages import CountTokens, Shape
from allthethings.assets.tokens import load_counter
from allthethings.generators import AsyncEmbeddingsGenerator, SyncEmbeddingsGenerator
from allthethings.hookdeck.connections import EMBEDDINGS, connection_of
from allthethings.hookdeck.gateway import Gateway
from allthethings.hosts import names_served
from allthethings.mongo import Database
from allthethings.pipeline.checks import Checks
from allthethings.pipeline.handover import Aside, Way, to_the_worker
from allthethings.pipeline.import_worker import ImportWorker
from allthethings.pipeline.imports import Imports
from allthethings.pipeline.look_worker import LookWorker
from allthethings.pipeline.members import Sources
from allthethings.pipeline.pipeline import Pipeline, create_pipeline
from allthethings.pipeline.progress import Watch
from allthethings.pipeline.reconciler import Reconciler
from allthethings.pipeline.turns import Turns
from allthethings.pipeline.worker import Worker
from allthethings.processors import Tools, preload, sandbox
from allthethings.redaction import log_without, secrets_of
from allthethings.replicate.client import ReplicateClient
from allthethings.search.answers import Answers
from allthethings.search.local_model import LocalModel
from allthethings.search.query_vectors import Embed, QueryVectors
from allthethings.search.reranking import Reranker, files_in
from allthethings.search.search import Search
from allthethings.web import (
    assets,
    commands,
    examples,
    feeds,
    gateway,
    home,
    imports,
    looks,
    search,
    security,
    sentences,
    suggestions,
    videos,
    webhooks,
)
from allthethings.web import health as health_pages
from allthethings.web.errors import HEALTH, WEBHOOKS, register_error_handlers
from allthethings.web.formatting import capped, size, span, when
from allthethings.web.login import is_let_in, require_password, sends_token
from allthethings.web.openapi import document as openapi
from allthethings.web.services import Services, provide
from allthethings.web.submission_form import MAX_FORM, MAX_TYPED
from config import Settings
from guardedfetch import Fetcher, parse_allow

# The beginnings of the paths for machines: no HTML, no login form, no check of the host name.
MACHINES = (WEBHOOKS, HEALTH)
# The beginnings of the paths that ask for no password. The models fetch the examples as they
# fetch any other URL.
OPEN_PATHS = (*MACHINES, "/static/", "/examples/")


def create_app(settings: Settings | None = None) -> Flask:
    """The app with these settings, or with those of the environment and `.env`."""
    settings = settings or Settings.from_env()
    settings.check()
    log_without(_secrets(settings))
    sandbox.preload(preload())
    database = Database(settings.mongo.uri, settings.mongo.name)
    replicate = ReplicateClient(settings.replicate_api_token, settings.replicate_base_url)
    count_tokens = load_counter(settings.tokenizer)
    make_pipeline = partial(_pipeline, settings, database, replicate, count_tokens)
    pipeline = make_pipeline(to_the_worker if settings.leave_to_worker else Aside())
    services = create_services(settings, database, replicate, count_tokens, pipeline)
    app = create_web(settings, services)
    commands.add_worker_commands(
        app, partial(create_worker, settings, database, replicate, make_pipeline)
    )
    commands.add_transfer_commands(app, database)
    commands.add_tutorial_command(app, database, pipeline.tutorial)
    return app


def create_services(
    settings: Settings,
    database: Database,
    replicate: ReplicateClient,
    count_tokens: CountTokens,
    pipeline: Pipeline,
) -> Services:
    """The parts that the routes work with."""
    cloud = SyncEmbeddingsGenerator(replicate).generate
    model = _local_model(settings, cloud)
    vectors = QueryVectors(model.embed if model else cloud, count_tokens)
    reranker = _reranker(settings)
    return Services(
        database=database,
        pipeline=pipeline,
        imports=Imports(database.imports, database.lists),
        checks=Checks(pipeline.submission, Turns()),
        search=Search(database, vectors, reranker),
        answers=Answers(vectors, model.embed_aside if model else None),
        watch=Watch(database, replicate),
        gateway=create_gateway(settings),
        health=health.Health(
            health.checks(
                database,
                settings.replicate_base_url,
                settings.replicate_api_token,
                settings.embeddings_webhook_url,
            )
        ),
        app_url=settings.app_url,
        examples=examples.load_examples(base) if (base := settings.examples_url) else (),
        webhook_secret=settings.hookdeck_webhook_secret,
        prepare=lambda: _prepare(model, reranker),
    )


def create_worker(
    settings: Settings,
    database: Database,
    replicate: ReplicateClient,
    make_pipeline: Callable[[Way], Pipeline],
) -> Worker:
    """The parts that work without a request."""
    patience = timedelta(seconds=settings.reconcile_after)
    deadline = timedelta(seconds=settings.prediction_deadline)
    aside = Aside()
    pipeline = make_pipeline(aside)
    return Worker(
        Reconciler(database, replicate, pipeline, patience, deadline),
        Reconciler(database.of_revisions, replicate, pipeline.of_revisions, patience, deadline),
        pipeline.revisions.complete_all,
        pipeline.clean_up,
        ImportWorker(database, pipeline.submission, pipeline.lifecycle, Turns()),
        LookWorker(pipeline.looks),
        LookWorker(pipeline.following),
        aside,
    )


def _pipeline(
    settings: Settings,
    database: Database,
    replicate: ReplicateClient,
    count_tokens: CountTokens,
    way: Way,
) -> Pipeline:
    fetcher = Fetcher(parse_allow(settings.fetch_allow), user_agent="index-all-the-things/1.0")
    sources = Sources(database, fetcher, replicate)
    return create_pipeline(
        database,
        fetcher,
        Tools(
            replicate,
            sources.download,
            sources.part,
            settings.webhook_urls,
            sources.unpack,
            sources.lend,
            sources.forget,
            settings.caption_version,
        ),
        AsyncEmbeddingsGenerator(replicate, settings.embeddings_webhook_url),
        count_tokens,
        timedelta(seconds=settings.reconcile_after),
        Shape(settings.passage_size, settings.passage_overlap, settings.passage_title),
        look_again=settings.look_again,
        list_entries=settings.list_entries,
        way=way,
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
    pages = (home, imports, assets, looks, videos, search, sentences, suggestions, feeds, gateway)
    for each in (*pages, examples, webhooks, health_pages, openapi):
        app.register_blueprint(each.blueprint)
    app.add_template_test(security.is_web_url, "web_url")
    for function in (capped, clock, path_in_archive, size, span, when):
        app.add_template_filter(function)
    _protect(app, settings)
    register_error_handlers(app)
    return app


def create_gateway(settings: Settings) -> Gateway | None:
    """The gateway's API, where the app has a key of it."""
    if not settings.hookdeck_api_key:
        return None
    connections = [*map(connection_of, settings.webhook_urls), EMBEDDINGS]
    names = [connection.name for connection in connections]
    return Gateway(settings.hookdeck_api_url, settings.hookdeck_api_key, names)


def _local_model(settings: Settings, otherwise: Embed) -> LocalModel | None:
    """The model in this process that embeds queries, if it is to be here."""
    if settings.query_embeddings == "local" and settings.query_weights:
        return LocalModel(settings.query_model, settings.query_weights, otherwise)
    return None


def _reranker(settings: Settings) -> Reranker | None:
    """The cross-encoder that looks at the best passages again, if one is set."""
    files = files_in(settings.reranker) if settings.reranker else None
    return Reranker(files) if files else None


def _prepare(*models: LocalModel | Reranker | None) -> None:
    """Begin to load the parsers, and load the models that are to be in this process."""
    sandbox.start()
    for model in models:
        if model:
            model.prepare()


def _secrets(settings: Settings) -> set[str]:
    """What must not be in a log."""
    return {
        settings.secret_key,
        settings.replicate_api_token,
        settings.hookdeck_webhook_secret,
        settings.hookdeck_api_key,
        settings.app_password,
        *settings.api_tokens,
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
    security.protect(app, exempt=WEBHOOKS, is_a_script=sends_token)
    if settings.app_password:
        require_password(
            app, settings.app_password, tokens=settings.api_tokens, open_paths=OPEN_PATHS
        )
    health_pages.tell_details(app, _who_is_let_in(settings))


def _who_is_let_in(settings: Settings) -> Callable[[], bool]:
    """Whether the request that is answered may see what the pages show."""
    if settings.app_password:
        return is_let_in
    return (lambda: True) if settings.allow_open else security.is_from_here
