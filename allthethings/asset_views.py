"""A thing's page and what can be done with it; also as JSON for who asks for `application/json`."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, abort, flash, jsonify, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from allthethings.deliveries import Watched
from allthethings.errors import BadInput
from allthethings.mongo import Database
from allthethings.pipeline import Pipeline
from allthethings.presentation import entry_of, listed, shown, wants_json
from allthethings.timeline import build

Watch = Callable[[str], Watched]
"""What the gateway knows of the thing of this id."""


def create_blueprint(
    pipeline: Pipeline, database: Database, watch: Watch = lambda _: Watched()
) -> Blueprint:
    blueprint = Blueprint("assets", __name__)

    @blueprint.get("/assets/<asset_id>")
    def show(asset_id: str) -> ResponseReturnValue:
        thing = database.assets.get(asset_id)
        if thing is None:
            abort(404, "There is no such thing, or there is none any more.")
        rows = database.passages.of(thing.id)
        progress = {"embedded": sum(row["embedded"] for row in rows), "total": len(rows)}
        if wants_json():
            return jsonify(
                asset={
                    **listed(thing),
                    "text": thing.text,
                    "history": [entry_of(entry) for entry in thing.history],
                    "progress": progress,
                }
            )
        watched = watch(thing.id)
        return render_template(
            "asset.html",
            asset={**shown(thing), "passages": rows, "progress": progress},
            hops=build(thing, rows, watched),
            trouble=watched.trouble,
        )

    @blueprint.post("/assets/<asset_id>/retry")
    def retry(asset_id: str) -> ResponseReturnValue:
        try:
            thing = pipeline.retry(asset_id)
        except BadInput as error:
            if wants_json():
                return jsonify(error=str(error)), 409
            flash(str(error), "error")
            return redirect(url_for("assets.show", asset_id=asset_id), 303)
        if wants_json():
            return jsonify(asset=listed(thing)), 202
        flash("It is tried again.", "success")
        return redirect(url_for("assets.show", asset_id=asset_id), 303)

    @blueprint.post("/assets/<asset_id>/delete")
    def delete(asset_id: str) -> ResponseReturnValue:
        pipeline.delete(asset_id)
        if wants_json():
            return jsonify(deleted=asset_id)
        flash("The thing was deleted.", "success")
        return redirect(url_for("views.index"), 303)

    return blueprint
