"""One Cog model: its process, its health, and the predictions that run in it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import secrets
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from localcloud.processes import Program, Supervisor
from localcloud.replicate.memory import GIBIBYTE, oom_kills, resident
from localcloud.replicate.prediction_store import Result
from localcloud.replicate.schemas import concurrency, iterates
from localcloud.replicate.staging import Staged, cog_environment

log = logging.getLogger("localcloud.replicate")

# Called with the logs and the output so far.
Progress = Callable[[str, Any], None]

# Seconds between two looks at the health of a model that is not ready.
_POLL_SECONDS = 0.1
# Seconds between two looks at the health of a ready model that runs predictions, and that of an
# idle one. The end of its process is noticed at once.
_READY_POLL_SECONDS = 1.0
_IDLE_POLL_SECONDS = 10.0
# Seconds between two looks at the memory of a model that runs a prediction.
_MEMORY_POLL_SECONDS = 0.25
# Cog's words for a model that can take or is running a prediction.
_HEALTHY = {"READY", "BUSY"}
# What Cog puts before the message of an exception: words of each of its layers, and the class.
_COGS_WORDS = re.compile(r"(?:Prediction failed: )*(?:[A-Z]\w*(?:Error|Exception): )?")
# Failed setups in a row after which a model counts as broken. It is still started again.
_MAX_SETUPS = 3


class ModelDied(Exception):
    """The model's process ended during the prediction. Another run can succeed."""


class OutOfMemory(Exception):
    """The prediction took all the memory that the model may use. Another run would do the same."""

    def __init__(self, reason: str) -> None:
        # E1001 is Replicate's code: https://replicate.com/docs/reference/error-codes
        super().__init__(f"The model ran out of memory: {reason} (E1001)")


class ModelAway(Exception):
    """The model did not accept the prediction, because it is starting or ending."""


class CogModel:
    """A model in Cog's runtime. `status` is Cog's word for its health, or DEAD.

    Cog reports to `callback`, a URL of this server, with the token of the run appended. A
    prediction that makes the model use more than `max_memory` bytes is stopped; of several that
    run, nobody knows which one it is, so that they count as those of a model that died.
    """

    def __init__(
        self,
        staged: Staged,
        callback: str,
        client: httpx.AsyncClient,
        port: int,
        max_memory: int,
    ) -> None:
        self.staged = staged
        self.model = staged.model
        self.status = "DEAD"
        self.ready = asyncio.Event()
        self._callback = callback
        self._client = client
        self._iterates = iterates(staged.document)
        self.concurrency = concurrency(staged.document)
        self._port = port
        self._max_memory = max_memory
        self._pid: Callable[[], int | None] = lambda: None
        self._runs: dict[str, _Run] = {}
        self._watching: asyncio.Task[None] | None = None
        self._look = asyncio.Event()
        self.broken: str | None = None
        self.on_broken: Callable[[], None] = lambda: None
        self._failed_setups = 0

    def start(self, supervisor: Supervisor, logs: Path, environment: Mapping[str, str]) -> None:
        """Run the model's process under the supervisor."""
        name = self.model.slug
        environment = {
            **cog_environment(environment),
            "COG_PREDICT_TYPE_STUB": self.model.predictor,
            "COG_MAX_CONCURRENCY": str(self.concurrency),
            "PORT": str(self._port),
        }
        argv = [sys.executable, "-m", "cog.server.http", "--host", "127.0.0.1"]
        self._pid = lambda: supervisor.pids().get(name)
        log = logs / f"{name}.log"
        program = Program(name, argv, log, environment, self.staged.folder, background=True)
        supervisor.add(program)

    async def watch(self) -> None:
        """Keep `status` and `ready` up to date with Cog's answers, until cancelled."""
        while True:
            status = await self._health()
            if status != self.status and {status, self.status} != _HEALTHY:
                log.info("model %s is %s", self.model.full_name, status)
            self.status = status
            if status in _HEALTHY:
                self.broken, self._failed_setups = None, 0
                self.ready.set()
                await self._pause()
                continue
            self.ready.clear()
            if status == "SETUP_FAILED":
                await self._setup_failed()
            # An UNHEALTHY model that runs a prediction may just be slow to answer.
            if status in {"SETUP_FAILED", "DEFUNCT"} or (status == "UNHEALTHY" and not self._runs):
                self._kill()
            await asyncio.sleep(_POLL_SECONDS)

    async def _setup_failed(self) -> None:
        self._failed_setups += 1
        if self._failed_setups < _MAX_SETUPS:
            return
        lines = [line for line in (await self._setup_logs()).splitlines() if line.strip()]
        reasons = [line for line in lines if "[coglet" not in line] or lines or ["no reason given"]
        # Each layer of Cog adds its own prefix to the reason.
        reason = reasons[-1].rpartition("setup failed: ")[2]
        self.broken = f"The model could not be set up: {reason.strip()}"
        self.on_broken()

    async def _pause(self) -> None:
        """Wait until it is time, or there is a reason, to look at the model's health."""
        self._look.clear()
        pause = _READY_POLL_SECONDS if self._runs else _IDLE_POLL_SECONDS
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._look.wait(), pause)

    def away(self) -> None:
        """React to a model that did not accept a prediction: it is used when it is ready again."""
        self.ready.clear()
        self._look.set()

    def died(self) -> None:
        """React to the end of the process, which the supervisor starts again."""
        self.status = "DEAD"
        self.ready.clear()
        self._look.set()
        for run in self._runs.values():
            run.died("the model's process ended")

    async def predict(
        self, prediction_id: str, given: dict[str, Any], *, quick: bool, progress: Progress
    ) -> Result:
        """Run one prediction to its end. Raises ModelDied, OutOfMemory and ModelAway.

        A `quick` one reports no progress and, if it fails, no logs. That saves about 45 ms, in
        which Cog would create an HTTP client for its reports.
        """
        self._runs[prediction_id] = run = _Run(progress)
        for each in self._runs.values():
            each.alone = each.alone and len(self._runs) == 1
        events = ["logs", "completed", *(["output"] if self._iterates else [])]
        body: dict[str, Any] = {"input": given}
        headers = {}
        if not quick:
            body |= {"webhook": self._callback + run.token, "webhook_events_filter": events}
            headers["Prefer"] = "respond-async"
        url = self._url(f"/predictions/{prediction_id}")
        asking = asyncio.create_task(self._ask(run, url, body, headers))
        asking.add_done_callback(run.check)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch_memory())
        try:
            result = await run.done
        finally:
            asking.cancel()
            del self._runs[prediction_id]
        if result.status == "failed" and await self._health() not in _HEALTHY:
            self.died()
            raise run.death("the model's worker ended")
        return result

    async def _watch_memory(self) -> None:
        """Kill the model if it uses too much memory, before the whole machine has none left."""
        while self._runs:
            if resident(self._pid() or 0) > self._max_memory:
                reason = f"it used more than {self._max_memory / GIBIBYTE:.3g} GiB."
                for run in self._runs.values():
                    run.out_of_memory(reason)
                self.ready.clear()
                self._look.set()
                self._kill()
                return
            await asyncio.sleep(_MEMORY_POLL_SECONDS)

    def _kill(self) -> None:
        if (pid := self._pid()) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def cancel(self, prediction_id: str, grace: float) -> None:
        """Stop a running prediction. After `grace` seconds the model is killed."""
        run = self._runs.get(prediction_id)
        if run is None:
            return
        end = asyncio.get_running_loop().time() + grace
        while not run.done.done() and asyncio.get_running_loop().time() < end:
            with contextlib.suppress(httpx.HTTPError):  # 404 until Cog has taken it
                await self._client.post(self._url(f"/predictions/{prediction_id}/cancel"))
            await asyncio.wait([run.done], timeout=0.5)
        if not run.done.done():
            log.info("killing model %s, which does not stop its prediction", self.model.full_name)
            self._kill()

    def report(self, token: str, payload: dict[str, Any]) -> bool:
        """Handle a report from Cog. False if its token is not that of a run."""
        given = token.encode()
        runs = self._runs.values()
        run = next((r for r in runs if secrets.compare_digest(r.token.encode(), given)), None)
        if run is None:
            return False
        if payload.get("status") in {"succeeded", "failed", "canceled"}:
            run.finish(_result(payload))
        elif not run.done.done():
            run.progress(payload.get("logs") or "", payload.get("output"))
        return True

    async def _ask(
        self, run: _Run, url: str, body: dict[str, Any], headers: dict[str, str]
    ) -> None:
        try:
            answer = await self._client.put(url, json=body, headers=headers, timeout=None)
            while answer.status_code == 409:  # Cog is still busy with the run before
                if await self._health() not in _HEALTHY:  # and stays so, without a worker
                    self._look.set()
                    run.fail(ModelAway("the model has no worker"))
                    return
                await asyncio.sleep(_POLL_SECONDS)
                answer = await self._client.put(url, json=body, headers=headers, timeout=None)
        except httpx.ConnectError as error:
            run.fail(ModelAway(f"the model does not listen: {error}"))
            return
        except httpx.HTTPError as error:
            run.died(f"the model closed the connection: {type(error).__name__}")
            return
        if answer.status_code == 200:
            run.finish(_result(answer.json()))
        elif answer.status_code == 503:
            run.fail(ModelAway("the model is not ready"))
        elif answer.status_code != 202:
            run.finish(Result("failed", error=_refusal(answer)))

    async def _health(self) -> str:
        return str((await self._health_check()).get("status", "DEAD"))

    async def _setup_logs(self) -> str:
        setup = (await self._health_check()).get("setup") or {}
        return str(setup.get("logs", ""))

    async def _health_check(self) -> dict[str, Any]:
        try:
            answer = await self._client.get(self._url("/health-check"), timeout=10.0)
            return dict(answer.json())
        except (httpx.HTTPError, ValueError):
            return {}

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._port}{path}"


class _Run:
    """A prediction in the model: the token of its reports and its future result.

    `alone` says whether no other one has run in the model meanwhile. Only then is a lack of memory
    its own doing.
    """

    def __init__(self, progress: Progress) -> None:
        self.token = secrets.token_urlsafe(24)
        self.progress = progress
        self.alone = True
        self._oom_kills = oom_kills()
        self.done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

    def finish(self, result: Result) -> None:
        if not self.done.done():
            self.done.set_result(result)

    def check(self, asking: asyncio.Task[None]) -> None:
        """End the run, not the server, when sending the input raises."""
        if not asking.cancelled() and (bug := asking.exception()) is not None:
            log.error("the input could not be sent to the model", exc_info=bug)
            self.finish(Result("failed", error="The input could not be sent to the model"))

    def death(self, reason: str) -> ModelDied | OutOfMemory:
        """The error for a model that ended during the run."""
        if self.alone and oom_kills() > self._oom_kills:
            return OutOfMemory("the machine had no more.")
        return ModelDied(reason)

    def died(self, reason: str) -> None:
        self.fail(self.death(reason))

    def out_of_memory(self, reason: str) -> None:
        self.fail(OutOfMemory(reason) if self.alone else ModelDied(reason))

    def fail(self, error: ModelDied | OutOfMemory | ModelAway) -> None:
        if not self.done.done():
            self.done.set_exception(error)


def _result(payload: dict[str, Any]) -> Result:
    error = payload.get("error")
    if error is not None:
        error = str(error)
        error = _COGS_WORDS.sub("", error, count=1)
    return Result(
        payload["status"],
        payload.get("output") if payload["status"] == "succeeded" else None,
        error,
        payload.get("logs") or "",
        payload.get("metrics") or {},
    )


def _refusal(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return f"the model answered {answer.status_code}"
    if isinstance(body.get("detail"), list):
        return "; ".join(f"{'.'.join(part['loc'][1:])}: {part['msg']}" for part in body["detail"])
    return str(body.get("error") or f"the model answered {answer.status_code}")
