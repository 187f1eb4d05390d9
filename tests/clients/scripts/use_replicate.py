"""Version 2 of Replicate's SDK: python use_replicate.py MODEL VERSION, with its usual settings."""

from __future__ import annotations

import sys
from pathlib import Path

from common import report
from replicate import Replicate

model, version = sys.argv[1:]
owner, name = model.split("/")
client = Replicate()


def cancel() -> str:
    made = client.predictions.create(version=version, input={"mode": "sleep", "seconds": 60})
    return client.predictions.cancel(prediction_id=made.id).status


def file_input() -> str:
    path = Path("words.txt")
    path.write_text("from a file")
    with path.open("rb") as file:
        return client.run(model, input={"file": file})["said"]


report(
    {
        "account": lambda: client.account.get().username,
        "models.get": lambda: client.models.get(model_owner=owner, model_name=name).name,
        "models.list": lambda: name in [one.name for one in client.models.list()],
        "models.versions.list": lambda: [
            one.id for one in client.models.versions.list(model_owner=owner, model_name=name)
        ],
        "run": lambda: client.run(f"{model}:{version}", input={"text": "a"})["said"],
        "predictions.create and wait": lambda: (
            client.predictions.create(version=version, input={"text": "c"}, prefer="wait").output
        ),
        "predictions.cancel": cancel,
        "predictions.list": lambda: len(list(client.predictions.list())) > 1,
        "files.create": lambda: (
            client.files.create(
                content=("a.txt", b"words", "text/plain"), metadata={"a": "1"}
            ).metadata
        ),
        "files.list": lambda: next(iter(client.files.list())).size,
        "a file as input": file_input,
        "webhooks secret": lambda: client.webhooks.default.secret.get().key,
    }
)
