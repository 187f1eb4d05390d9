"""Starts all programs of one copy in order, and keeps them running until it is stopped."""

from __future__ import annotations

import logging
import shutil
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
from localcloud.endpoints import endpoints, read_endpoints, tokenizer, write_endpoints
from localcloud.launch_settings import MONGODB_CONNECTION_URI, LaunchError, Settings
from localcloud.logs import Logs, end_of, log_to
from localcloud.parts import Parts
from localcloud.ports import choose_ports, wait_until_free
from localcloud.processes import Program, Supervisor, spawn, sweep
from localcloud.setup_scripts import SetupScript
from localcloud.state import ENDPOINTS_FILE, State, lock_data_dir
from localcloud.weights import cache as weights
from localcloud.weights.wheels import WeightsError

NAME = "Index All The Things"
# Seconds for the start of all programs.
STARTUP_SECONDS = 180.0
# Exits of one program during the start after which the start has failed.
MAX_STARTUP_EXITS = 2
# Free bytes on the disk of DATA_DIR without which nothing is started.
MIN_FREE_BYTES = 100_000_000
# The layers in which the programs are stopped, the last one first.
DATABASE, DATABASE_PROXY, CLIENTS = range(3)
# How the settings end that hold the URLs of Hookdeck's connections.
WEBHOOK_URL = "_WEBHOOK_URL"
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
        hookdeck, mongodb = chosen.data_dir / "hookdeck", chosen.data_dir / "mongodb"
        self._connections = SetupScript(
            "create-hookdeck-connections", hookdeck, hookdeck / "hookdeck.sqlite3", "connections"
        )
        self._indexes = SetupScript(
            "create-indexes", chosen.data_dir / "secantus", mongodb / "catalog.sqlite", "indexes"
        )

    def run(self) -> None:
        """Start everything, print one line when it is ready, and stop everything when told to."""
        self._chosen.check()
        self._check_room()
        with lock_data_dir(self._chosen.data_dir):
            logs = Logs(self._chosen.data_dir / "logs")
            log_to(self._chosen.data_dir / "logs" / "launcher.log", log)
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
                logs.close()

    def _start(self) -> None:
        self._check_port()
        if self._chosen.needs_weights:
            self._fetch_weights()
        self._deadline = time.monotonic() + STARTUP_SECONDS
        parts = self._connect(self._start_stand_ins())
        self._add("the app", CLIENTS, parts.app())
        self._create_indexes(parts)
        self._add("the worker", CLIENTS, parts.worker())
        if self._chosen.local_replicate:
            self._await_part("replicate", parts)
        self._await("app", partial(readiness.http_problem, self._chosen.address), parts)
        self._search_once()

    def _search_once(self) -> None:
        """Ask a search, so that nobody's search is the first, which takes twice as long."""
        if self._chosen.can_search:
            reason = readiness.http_problem(self._chosen.address, readiness.SEARCH)
            if reason is not None:
                log.warning("a search failed: %s", reason)

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

    def _check_room(self) -> None:
        folder = self._chosen.data_dir
        there = next(each for each in (folder, *folder.parents) if each.exists())
        free = shutil.disk_usage(there).free
        if free < MIN_FREE_BYTES:
            raise LaunchError(
                f"The disk of DATA_DIR={folder} is full: {free / 1e6:.0f} MB are "
                f"left, and a start needs {MIN_FREE_BYTES / 1e6:.0f} MB.\n"
                "Delete something there, or choose a folder on another disk."
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
        models = (weights_paths() if chosen.needs_weights else None) or {}
        found = endpoints(chosen, state.ports, state.secrets) | tokenizer(chosen, models)
        if chosen.local_hookdeck:
            found = self._with_webhook_urls(found)
        write_endpoints(self._env_file, found)
        parts = Parts(self._root, chosen, state.ports, found, models)
        if chosen.local_mongodb:
            self._add("MongoDB", DATABASE, parts.secantus())
            self._add("the proxy that searches it", DATABASE_PROXY, parts.mongodb())
        if chosen.local_hookdeck:
            self._add("Hookdeck", CLIENTS, parts.hookdeck())
        if chosen.local_replicate:
            self._add("Replicate and its models", CLIENTS, parts.replicate())
        return parts

    def _with_webhook_urls(self, found: dict[str, str]) -> dict[str, str]:
        """With the URLs of the connections, if those are as the last start has left them."""
        if not self._connections.is_needed(self._root, found) and self._env_file.exists():
            before = read_endpoints(self._env_file)
            found |= {name: url for name, url in before.items() if name.endswith(WEBHOOK_URL)}
        return found

    def _connect(self, parts: Parts) -> Parts:
        """Run the setup script that creates the connections, unless their URLs are known."""
        found = parts.endpoints
        if not self._chosen.local_hookdeck or any(name.endswith(WEBHOOK_URL) for name in found):
            return parts
        self._await_part("hookdeck", parts)
        self._run_script("create-hookdeck-connections", parts)
        self._connections.note_run(self._root, found)
        return replace(parts, endpoints=read_endpoints(self._env_file))

    def _create_indexes(self, parts: Parts) -> None:
        """Run the setup script that creates the indexes, unless they are there."""
        found = parts.endpoints
        if self._chosen.local_mongodb and self._indexes.is_needed(self._root, found):
            uri = found[MONGODB_CONNECTION_URI]
            self._await("mongodb", partial(readiness.mongodb_problem, uri), parts)
            self._run_script("create-indexes", parts)
            self._indexes.note_run(self._root, found)

    def _run_script(self, name: str, parts: Parts) -> None:
        log.info("running %s.py", name)
        if self._finish(spawn(parts.script(name, self._env_file))) != 0:
            raise LaunchError(f"{name}.py failed.\n{end_of(parts.log(name))}")

    def _add(self, title: str, layer: int, program: Program) -> None:
        log.info("starting %s", title)
        self._supervisor.add(program, layer)

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
