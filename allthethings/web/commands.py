"""Commands of `flask --app app`."""

from __future__ import annotations

import time

import click
from flask import Flask

from allthethings.errors import ServiceUnavailable
from allthethings.pipeline.reconciler import Reconciler


def add_reconcile_command(app: Flask, reconciler: Reconciler) -> None:
    """`flask --app app reconcile`, once or again and again."""

    @app.cli.command("reconcile")
    @click.option("--every", type=float, help="Repeat for ever, with this many seconds between.")
    def reconcile(every: float | None) -> None:
        """Finish what stopped half-way."""
        while every:
            _reconcile(app, reconciler)
            time.sleep(every)
        taken = _reconcile(app, reconciler)
        if taken is not None:
            click.echo(f"{taken} things taken up")


def _reconcile(app: Flask, reconciler: Reconciler) -> int | None:
    """How many assets were taken up; None when a service is away."""
    try:
        return reconciler.reconcile()
    except ServiceUnavailable as error:
        app.logger.warning("reconciler: %s", error)
        return None
