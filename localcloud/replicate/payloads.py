"""Builds the JSON objects of Replicate's API. `base` is this server's address."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from localcloud.replicate.prediction_store import Prediction
from localcloud.replicate.registry import Model
from localcloud.replicate.staging import Staged

Json = dict[str, Any]


def prediction_payload(prediction: Prediction, base: str) -> Json:
    """A prediction as routes and webhooks return it."""
    url = f"{base}/v1/predictions/{prediction.id}"
    payload: Json = {
        "id": prediction.id,
        "model": prediction.model,
        "version": prediction.version,
        "input": prediction.input,
        "logs": prediction.logs,
        "output": prediction.output,
        "data_removed": prediction.data_removed,
        "error": prediction.error,
        "source": "api",
        "status": prediction.status,
        "created_at": prediction.created_at,
        "started_at": prediction.started_at,
        "completed_at": prediction.completed_at,
        "urls": {
            "get": url,
            "cancel": f"{url}/cancel",
            "web": f"{base}/p/{prediction.id}",
        },
    }
    if prediction.finished:
        payload["metrics"] = prediction.metrics
    if prediction.deadline:
        payload["deadline"] = prediction.deadline
    if prediction.webhook:
        payload["webhook"] = prediction.webhook
        payload["webhook_events_filter"] = ["completed"]
    return payload


def version_payload(staged: Staged, since: str) -> Json:
    """A version of a model. `since` is when it came to this server."""
    return {
        "id": staged.model.version,
        "created_at": since,
        "cog_version": version("cog"),
        "openapi_schema": staged.document,
    }


def model_payload(staged: Staged, since: str, run_count: int, base: str) -> Json:
    model: Model = staged.model
    return {
        "url": f"{base}/{model.full_name}",
        "owner": model.owner,
        "name": model.name,
        "description": model.description,
        "visibility": "public",
        "is_official": False,
        "github_url": None,
        "paper_url": None,
        "license_url": None,
        "run_count": run_count,
        "cover_image_url": None,
        "default_example": None,
        "latest_version": version_payload(staged, since),
    }


def page_payload(results: list[Json], following: str | None) -> Json:
    return {"next": following, "previous": None, "results": results}
