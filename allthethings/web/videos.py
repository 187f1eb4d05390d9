"""The video of a subtitle file: named on its page, where its lines lead there."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue

from allthethings.assets.asset import Asset
from allthethings.errors import BadInput
from allthethings.web.services import services
from allthethings.web.view_models import listed, shown, wants_json

blueprint = Blueprint("videos", __name__)


@blueprint.post("/assets/<asset_id>/video")
def name(asset_id: str) -> ResponseReturnValue:
    """Say of which video a thing is the subtitles."""
    text = request.form.get("video_url", "")
    try:
        thing = services().pipeline.lifecycle.name_video(asset_id, text)
    except BadInput as error:
        if wants_json():
            return jsonify(error=error.refusal), 422
        flash(error.refusal, "error")
        return redirect(url_for("assets.show", asset_id=asset_id), 303)
    if wants_json():
        return jsonify(asset=listed(thing))
    told = "The lines lead to the video now." if thing.video_url else "No video is named any more."
    flash(told, "success")
    return redirect(url_for("assets.show", asset_id=asset_id), 303)


def video_fields(thing: Asset) -> dict[str, Any]:
    """What the page of subtitles shows of their video. Where that is a thing itself, it is played
    beside the lines."""
    known = thing.video_url and services().database.assets.find_url(thing.video_url)
    if not known:
        return {"video": None}
    video = shown(known)
    return {"video": video, **{name: video[name] for name in ("player", "play_from")}}
