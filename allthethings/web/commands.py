"""Commands of `flask --app app`."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from queue import SimpleQueue

import click
from flask import Flask

from allthethings.errors import BadInput, ServiceUnavailable
from allthethings.mongo import Database
from allthethings.pipeline.tutorial import Outcome, TutorialTexts, tutorial_collection
from allthethings.pipeline.worker import Worker
from allthethings.store import transfer, tutorial
from allthethings.store.insertions import AlreadyIndexed

# Seconds between two looks, each of which asks the database what there is to do.
EVERY = click.FloatRange(min=0.1)


def add_worker_commands(app: Flask, create: Callable[[], Worker]) -> None:
    """`flask --app app worker` and `flask --app app reconcile`."""

    @app.cli.command("worker")
    @click.option(
        "--every",
        type=EVERY,
        default=10.0,
        show_default=True,
        help="Seconds between two looks for what stopped half-way, and for what is due.",
    )
    def work(every: float) -> None:
        """Do all that goes on without a request, until SIGTERM or SIGINT."""
        _run(create(), every)

    @app.cli.command("reconcile")
    @click.option(
        "--every",
        type=EVERY,
        help="Work until stopped, as `worker` does, with this many seconds between two looks.",
    )
    def reconcile(every: float | None) -> None:
        """Finish what stopped half-way, and look at the lines of imports and at things, once."""
        if every is not None:
            _run(create(), every)
            return
        taken = create().run_once()
        if taken is not None:
            click.echo(f"{taken} things taken up")


def _run(worker: Worker, every: float) -> None:
    # The main thread runs the handlers, and may hold the very lock that `stop` needs. A SimpleQueue
    # may be put into at any time.
    signals = SimpleQueue[int]()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: signals.put(number))

    def stop() -> None:
        signals.get()
        worker.stop()

    threading.Thread(target=stop, daemon=True).start()
    worker.run(every)


def add_transfer_commands(app: Flask, database: Database) -> None:
    """`flask --app app export FILE` and `flask --app app import FILE`."""

    @app.cli.command("export")
    @click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
    def export(file: Path) -> None:
        """Write everything that was indexed, with its vectors, into a zip file."""
        with _told():
            written = transfer.export(database.database, file)
        told = ", ".join(f"{number:,} {name}" for name, number in written.items())
        click.echo(f"{file}: {told}")

    @app.cli.command("import")
    @click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
    def load(file: Path) -> None:
        """Add what is in such a file; nothing that is here already is changed."""
        with _told():
            counts = transfer.load(database.database, file)
        click.echo(f"{counts.added:,} documents added, {counts.there:,} were here already.")
        if counts.refused:
            click.echo(f"{counts.refused:,} things were left out: their URLs are indexed here.")
        if counts.kept:
            click.echo(f"{counts.kept:,} things are here in another state, and stay as they are.")


def add_tutorial_command(app: Flask, database: Database, texts: TutorialTexts) -> None:
    """`flask --app app import-tutorial`."""

    @app.cli.command("import-tutorial")
    @click.option("--uri", help="The MongoDB server that the tutorial's app uses.")
    @click.option("--database", "name", show_default=tutorial.DATABASE, help="Its database.")
    @click.option("--collection", show_default=tutorial.COLLECTION, help="Its collection.")
    def take_over(uri: str | None, name: str | None, collection: str | None) -> None:
        """Index the texts that the tutorial's app has stored.

        Without --uri, those that `create-indexes.py --move-tutorial` has moved to the collection
        tutorial_assets.
        Each text is cut and embedded anew; its vector is left aside. Nothing is changed there, and
        a URL that is indexed here already is not taken again.
        """
        with _told(), tutorial_collection(database, uri, name, collection) as source:
            _tell_outcomes(texts.take_all(source))


def _tell_outcomes(outcomes: Iterable[Outcome]) -> None:
    """Say why each thing is left out, and how many were taken, also where that was interrupted."""
    taken = there = left = 0
    try:
        for each in outcomes:
            if each.error is None:
                taken += 1
            elif isinstance(each.error, AlreadyIndexed):
                there += 1
            else:
                click.echo(f"Left out: {each.name}: {each.error}")
                left += 1
    finally:
        click.echo(f"Taken: {taken:,}. Here already: {there:,}. Left out: {left:,}.")
    if taken:
        click.echo("Run `flask --app app worker` to have their texts embedded.")


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """End the command with a sentence where nothing else helps."""
    try:
        yield
    except (BadInput, ServiceUnavailable) as error:
        raise click.ClickException(str(error)) from error
