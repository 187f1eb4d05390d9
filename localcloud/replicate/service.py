"""Assembles the parts of the server and runs them."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from guardedfetch import Fetcher, Limits, parse_allow
from localcloud.logs import Logs
from localcloud.ports import choose_ports
from localcloud.processes import Supervisor
from localcloud.replicate.files import FileStore
from localcloud.replicate.input_files import InputFiles
from localcloud.replicate.memory import default_limit
from localcloud.replicate.prediction_states import Predictions
from localcloud.replicate.prediction_store import Prediction, Result
from localcloud.replicate.queue import ModelQueue
from localcloud.replicate.registry import load_models
from localcloud.replicate.runner import CogModel
from localcloud.replicate.staging import Staged, stage
from localcloud.replicate.tables import SCHEMA, upgrade
from localcloud.replicate.webhook_sender import FIRST_PAUSE, Courier, Signer
from localcloud.sqlite import check, connect, make_shrinkable, shrink

log = logging.getLogger("localcloud.replicate")

# The path at which models report and get their files. Each URL below it contains a secret.
INTERNAL = "/_cog/"
MEBIBYTE = 1024 * 1024
# Bytes of the largest file of an input: an hour or two of video.
MAX_INPUT_BYTES = 2_000_000_000
# Seconds for the download of an input.
INPUT_DEADLINE = 3600.0
# Seconds without a byte after which the download of an input fails.
INPUT_STALL = 30.0
# Seconds between two looks for expired data.
HOUSEKEEPING_SECONDS = 0.5
# Pages of the database, of 4 KiB, that one look gives back to the file system, and those that stay
# free for the outputs of the next hour.
FREED_PAGES = 250
SPARE_PAGES = 4_000


@dataclass(frozen=True)
class Settings:
    """The settings of the server. Models get `environment` without the secrets."""

    port: int
    data_dir: Path
    models_dir: Path
    token: str
    webhook_secret: str
    environment: Mapping[str, str] = field(repr=False)
    fetch_allow: str = ""
    max_input_bytes: int = MAX_INPUT_BYTES
    input_deadline: float = INPUT_DEADLINE
    max_memory: int = field(default_factory=default_limit)
    keep_data: timedelta = timedelta(hours=1)
    webhook_pause: float = FIRST_PAUSE

    @property
    def base(self) -> str:
        """This server's address in the URLs that it returns."""
        return f"http://127.0.0.1:{self.port}"


class Service:
    """The queues, the models and the webhooks. Create and run it in the event loop."""

    def __init__(self, settings: Settings, staged: list[Staged]) -> None:
        self.settings = settings
        self.signer = Signer(settings.webhook_secret)
        path = settings.data_dir / "replicate.sqlite3"
        db = connect(path, schema=SCHEMA)
        check(db, path)
        upgrade(db)
        make_shrinkable(db)
        self._db = db
        self.courier = Courier(db, self.signer, settings.webhook_pause)
        self.predictions = Predictions(db, self.courier, settings.base)
        self.files = FileStore(db, settings.data_dir / "files", settings.base)
        callback = settings.base + INTERNAL
        folder = settings.data_dir / "inputs"
        self.inputs = InputFiles(folder, _fetcher(settings), self.files, callback)
        self.http = httpx.AsyncClient(trust_env=False)
        ports = choose_ports([one.model.version for one in staged], {})
        self.models = {
            one.model.version: CogModel(
                one, callback, self.http, ports[one.model.version], settings.max_memory
            )
            for one in staged
        }
        self.queues = {
            version: ModelQueue(model, self.predictions, self.inputs)
            for version, model in self.models.items()
        }
        self.predictions.on_queued = lambda new: self.queues[new.version].queued(new)
        self.predictions.on_ended = self._ended

    async def run(self) -> None:
        """Work until cancelled."""
        self._resume()
        loop = asyncio.get_running_loop()
        by_slug = {model.model.slug: model for model in self.models.values()}

        def on_exit(slug: str, code: int) -> None:
            log.info("model %s ended with %d", by_slug[slug].model.full_name, code)
            if not loop.is_closed():
                loop.call_soon_threadsafe(by_slug[slug].died)

        supervisor = Supervisor(on_exit=on_exit)
        settings = self.settings
        folder = settings.data_dir / "logs"
        logs = Logs(folder)
        try:
            for model in self.models.values():
                model.start(supervisor, folder, settings.environment)
            async with asyncio.TaskGroup() as tasks:
                for version, model in self.models.items():
                    tasks.create_task(model.watch())
                    tasks.create_task(self.queues[version].run())
                tasks.create_task(self.courier.run())
                tasks.create_task(self._keep_house())
        finally:
            await asyncio.to_thread(supervisor.stop)
            await asyncio.to_thread(logs.close)
            await self.courier.close()
            await self.http.aclose()

    def _resume(self) -> None:
        """Queue the predictions that were running when the last server ended."""
        store = self.predictions.store
        if count := store.requeue_all():
            log.info("%d predictions were running when the last server ended", count)
        for prediction_id in store.stranded(list(self.models)):
            error = "The model of this prediction no longer exists"
            self.predictions.finish(prediction_id, Result("failed", error=error))

    def _ended(self, prediction: Prediction) -> None:
        if queue := self.queues.get(prediction.version):
            queue.ended(prediction)

    async def _keep_house(self) -> None:
        """End predictions at their deadlines and delete data after its time, until cancelled."""
        while True:
            now = datetime.now(UTC)
            try:
                self.predictions.end_overdue(now)
                self.predictions.store.remove_data(now - self.settings.keep_data)
                self.files.expire(now)
                shrink(self._db, FREED_PAGES, SPARE_PAGES)
            except sqlite3.OperationalError as error:
                log.error("nothing is ended or deleted while the disk is full: %s", error)
            await asyncio.sleep(HOUSEKEEPING_SECONDS)


async def stage_models(settings: Settings) -> list[Staged]:
    """Prepare every model of the folder. Raises BadManifest and BrokenModel."""
    parent = settings.data_dir / "models"
    models = load_models(settings.models_dir)
    return await asyncio.gather(
        *(asyncio.to_thread(stage, model, parent, settings.environment) for model in models)
    )


def _fetcher(settings: Settings) -> Fetcher:
    limits = Limits(
        deadline=settings.input_deadline,
        max_bytes=settings.max_input_bytes,
        max_decompressed_bytes=settings.max_input_bytes,
        stall=INPUT_STALL,
    )
    return Fetcher(parse_allow(settings.fetch_allow), limits)
