"""Starts all programs of one copy in order, and keeps them running until it is stopped."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from localcloud import leftovers, readiness
from localcloud.endpoints import endpoints, read_endpoints, write_endpoints
from localcloud.launch_settings import MONGODB_CONNECTION_URI, LaunchError, Settings
from localcloud.parts import Parts
from localcloud.ports import choose_ports, wait_until_free
from localcloud.processes import Program, Supervisor, spawn, sweep
from localcloud.state import ENDPOINTS_FILE, State, lock_data_dir
from localcloud.weights import cache as weights
from localcloud.weights.wheels import WeightsError

NAME = "Index All The Things"
# Seconds for the start of all programs.
STARTUP_SECONDS = 180.0
# Exits of one program during the start after which the start has failed.
MAX_STARTUP_EXITS = 2
# Bytes above which a log is moved aside at a start.
MAX_LOG_BYTES = 5_000_000
log = logging.getLogger("localcloud")


class StopRequested(Exception):
    """The launcher was told to stop during the start."""


class Launcher:
    """Starts, watches and stops the programs of one copy."""

    def __init__(self, root: Path, chosen: Settings, stop: threading.Event) -> None:
        self._root = root
        self._chosen = chosen
        self._stop = stop
        self._exits: Counter[str] = Counter()
        self._supervisor = Supervisor(on_exit=self._note_exit)
        self._env_file = chosen.data_dir / ENDPOINTS_FILE
        self._deadline = 0.0

    def run(self) -> None:
        """Start everything, print one line when it is ready, and stop everything when told to."""
        self._chosen.check()
        with lock_data_dir(self._chosen.data_dir):
            log_to(self._chosen.data_dir / "logs")
            if killed := leftovers.kill(self._chosen.data_dir):
                log.info("ended %d processes that an earlier copy left behind", len(killed))
            try:
                self._start()
                print(f"{NAME} is ready: {self._chosen.address}", flush=True)
                self._stop.wait()
            except StopRequested:
                pass
            finally:
                log.info("stopping")
                self._supervisor.stop()
                leftovers.kill(self._chosen.data_dir)
                log.info("stopped")

    def _start(self) -> None:
        self._check_port()
        if self._chosen.needs_weights:
            self._fetch_weights()
        self._deadline = time.monotonic() + STARTUP_SECONDS
        parts = self._connect(self._start_stand_ins())
        self._add("the app", parts.app())
        self._create_indexes(parts)
        if self._chosen.local_replicate:
            self._await_part("replicate", parts)
        self._await("app", partial(readiness.http_problem, self._chosen.address), parts)
        self._add("the reconciler", parts.reconciler())

    def _check_port(self) -> None:
        host, port = self._chosen.host, self._chosen.port
        try:
            free = wait_until_free(port, host, time.monotonic() + 3.0)
        except OSError as error:
            raise LaunchError(f"Cannot listen on {host}:{port}: {error.strerror}.") from error
        if not free:
            raise LaunchError(
                f"Port {port} of {host} is in use by another program.\n"
                f"Choose another port: make run PORT={port + 1}"
            )

    def _fetch_weights(self) -> None:
        """Fetch missing weights in a process that a signal can end during a download."""
        if weights_paths() is not None:
            return
        log.info("fetching the models' weights")
        command = [sys.executable, "-m", "localcloud.weights"]
        # Standard output is reserved for the line with the app's address.
        fetch = subprocess.Popen(command, cwd=self._root, stdout=sys.stderr, start_new_session=True)
        if self._finish(fetch) != 0:
            raise LaunchError("The models' weights could not be fetched. See the message above.")

    def _start_stand_ins(self) -> Parts:
        chosen = self._chosen
        state = State(chosen.data_dir)
        state.ports |= choose_ports(["secantus", "mongodb", "hookdeck", "replicate"], state.ports)
        state.complete()
        found = endpoints(chosen, state.ports, state.secrets)
        write_endpoints(self._env_file, found)
        models = weights_paths() if chosen.needs_weights else None
        parts = Parts(self._root, chosen, state.ports, found, models or {})
        if chosen.local_mongodb:
            self._add("MongoDB", parts.secantus(), parts.mongodb())
        if chosen.local_hookdeck:
            self._add("Hookdeck", parts.hookdeck())
        if chosen.local_replicate:
            self._add("Replicate and its models", parts.replicate())
        return parts

    def _connect(self, parts: Parts) -> Parts:
        """Run the setup script that creates the connections; their URLs join the endpoints."""
        if not self._chosen.local_hookdeck:
            return parts
        self._await_part("hookdeck", parts)
        self._run_script("create-hookdeck-connections", parts)
        return replace(parts, endpoints=read_endpoints(self._env_file))

    def _create_indexes(self, parts: Parts) -> None:
        if self._chosen.local_mongodb:
            uri = parts.endpoints[MONGODB_CONNECTION_URI]
            self._await("mongodb", partial(readiness.mongodb_problem, uri), parts)
            self._run_script("create-indexes", parts)

    def _run_script(self, name: str, parts: Parts) -> None:
        log.info("running %s.py", name)
        if self._finish(spawn(parts.script(name, self._env_file))) != 0:
            raise LaunchError(f"{name}.py failed.\n{end_of(parts.log(name))}")

    def _add(self, title: str, *programs: Program) -> None:
        log.info("starting %s", title)
        for program in programs:
            self._supervisor.add(program)

    def _finish(self, process: subprocess.Popen[bytes]) -> int:
        """Wait for the end of a program and return its exit code."""
        try:
            while (code := process.poll()) is None:
                self._pause()
        finally:
            if process.poll() is None:
                sweep(process)
                process.wait()
        return code

    def _await_part(self, name: str, parts: Parts) -> None:
        address = f"http://127.0.0.1:{parts.ports[name]}"
        self._await(name, partial(readiness.http_problem, address), parts)

    def _await(self, name: str, problem: Callable[[], str | None], parts: Parts) -> None:
        """Wait until a program is ready, when `problem` returns None."""
        while (reason := problem()) is not None:
            for dying, times in list(self._exits.items()):
                if times >= MAX_STARTUP_EXITS:
                    raise LaunchError(f"{dying} keeps exiting.\n{end_of(parts.log(dying))}")
            if time.monotonic() > self._deadline:
                raise LaunchError(f"{name} is not ready: {reason}\n{end_of(parts.log(name))}")
            self._pause()
        log.info("%s is ready", name)

    def _pause(self) -> None:
        if self._stop.wait(0.1):
            raise StopRequested

    def _note_exit(self, name: str, code: int) -> None:
        self._exits[name] += 1
        reason = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        log.warning("%s ended (%s); starting it again", name, reason)


def weights_paths() -> Mapping[str, str] | None:
    """The settings that name the weights' folders; None if some have to be fetched."""
    try:
        found = {name: weights.present(name) for name in weights.MODELS}
    except WeightsError as error:
        raise LaunchError(str(error)) from error
    if not all(found.values()):
        return None
    return {weights.MODELS[name].override: str(folder) for name, folder in found.items()}


def log_to(folder: Path) -> None:
    """Log into the folder too, and move large logs aside."""
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.log"):
        if path.stat().st_size > MAX_LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
    handler = logging.FileHandler(folder / "launcher.log")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(handler)


def end_of(path: Path, lines: int = 10) -> str:
    """The log's path and its last lines, without the frames of tracebacks."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16_000))
            tail = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        tail = []
    shown = [line for line in tail if not line.startswith((" ", "\t", "Traceback"))]
    return "\n".join([f"The end of {path}:", *(f"    {line}" for line in shown[-lines:])])
