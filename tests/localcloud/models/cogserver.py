"""A model of localcloud/models in Cog's own server, as localcloud's Replicate runs it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from localcloud.ports import pick_port
from localcloud.processes import Program, spawn, sweep
from localcloud.replicate.registry import read_manifest
from localcloud.replicate.staging import cog_environment, stage
from tools.harness.waiting import wait_for

MODELS = Path(__file__).resolve().parents[3] / "localcloud" / "models"


class CogServer:
    """Calls to a running server; `url` is its base."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=300.0, trust_env=False)

    def status(self) -> str:
        """Cog's word for its state; "" while nothing listens."""
        try:
            return str(self.client.get("/health-check").json()["status"])
        except httpx.TransportError:
            return ""

    def predict(self, **given: object) -> dict[str, Any]:
        """The finished prediction. Cog takes the next one only a moment after the last."""

        def ask() -> httpx.Response | None:
            response = self.client.post("/predictions", json={"input": given})
            return None if response.status_code == 409 else response

        response = wait_for(ask, "a model that takes a prediction")
        return dict(response.json())

    def output(self, **given: object) -> Any:
        prediction = self.predict(**given)
        assert prediction.get("status") == "succeeded", prediction
        return prediction["output"]

    def error(self, **given: object) -> str:
        prediction = self.predict(**given)
        assert prediction.get("status") == "failed", prediction
        return str(prediction["error"])


@contextmanager
def running(model: str, folder: Path, settings: Mapping[str, str]) -> Iterator[CogServer]:
    """Run the model, staged in the folder, as long as the context lasts."""
    environment = {**os.environ, **settings}
    staged = stage(read_manifest(MODELS / model / "replicate.toml"), folder, environment)
    port = pick_port()
    environment = cog_environment(environment) | {
        "COG_PREDICT_TYPE_STUB": staged.model.predictor,
        "PORT": str(port),
    }
    argv = [sys.executable, "-m", "cog.server.http", "--host", "127.0.0.1"]
    log = folder / f"{model}.log"
    process = spawn(Program(model, argv, log, environment, staged.folder))
    server = CogServer(f"http://127.0.0.1:{port}")
    try:
        wait_for(lambda: server.status() not in {"", "STARTING"}, "the model")
        assert server.status() == "READY", log.read_text()
        yield server
    finally:
        server.client.close()
        process.terminate()
        process.wait(30.0)
        sweep(process)
