"""What clients that dribble cost the others: python -m tools.bench_dribble [SECONDS [PROCESSES]]

500 connections to a copy of the project send their headers or their bodies byte by byte, read
their answers byte by byte, or say nothing. They come from ten addresses, and each that the app
closes is opened again. Prints what the health check, the pages and callbacks take meanwhile, and
what they take without them. The machine should be otherwise quiet.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

import httpx

from tools.harness.cloud import Cloud, running_cloud
from tools.harness.person import Person
from tools.harness.signing import SIGNATURE, signature
from tools.harness.waiting import wait_for

PAGES = ["braille", "concrete", "mangroves", "ultramarine"]
CONNECTIONS = 500
ADDRESSES = [f"127.0.1.{number}" for number in range(1, 11)]
# Seconds between two bytes of one connection.
PAUSE = 1.0
NOBODY = "0" * 24
HOST = b" HTTP/1.1\r\nHost: localhost\r\n"
LENGTH = b"Content-Length: 100000\r\n"
# How a connection begins, and what it goes on to send, byte by byte.
DRIBBLES: list[tuple[bytes, bytes]] = [
    (b"GET /" + HOST + b"X: ", b"x"),
    (b"POST /process" + HOST + LENGTH + b"\r\nurl=", b"x"),
    (b"POST /webhooks/audio/x" + HOST + LENGTH + b"x-hookdeck-signature: x\r\n\r\n{", b"x"),
    (b"GET /" + HOST + b"\r\n", b""),
    (b"GET /static/app.js" + HOST + b"\r\n" + b"GET /static/app.js" + HOST + b"\r\n", b""),
]


async def dribble(port: int, number: int, opened: list[int]) -> None:
    """Keep one connection busy for ever."""
    start, rest = DRIBBLES[number % len(DRIBBLES)]
    loop, source = asyncio.get_running_loop(), ADDRESSES[number % len(ADDRESSES)]
    while True:
        with socket.socket() as one, contextlib.suppress(OSError):
            one.setblocking(False)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            one.bind((source, 0))
            await loop.sock_connect(one, ("127.0.0.1", port))
            opened.append(number)
            await loop.sock_sendall(one, start)
            while True:
                await asyncio.sleep(PAUSE)
                if rest:
                    await loop.sock_sendall(one, rest)
                elif not await loop.sock_recv(one, 1):
                    break
        await asyncio.sleep(PAUSE)


def attack(port: int, pipe: Connection) -> None:
    """The clients, in a process of their own, until told to end; says how many it opened."""

    async def run() -> int:
        opened: list[int] = []
        tasks = [
            asyncio.create_task(dribble(port, number, opened)) for number in range(CONNECTIONS)
        ]
        while len(set(opened)) < CONNECTIONS:
            await asyncio.sleep(0.05)
        pipe.send("all open")
        await asyncio.to_thread(pipe.recv)
        for task in tasks:
            task.cancel()
        return len(opened)

    pipe.send(asyncio.run(run()))


@contextmanager
def attacked(cloud: Cloud) -> Iterator[None]:
    """The attack for the length of a `with` block."""
    port = int(cloud.address.rpartition(":")[2])
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=attack, args=(port, theirs))
    process.start()
    try:
        ours.recv()
        yield
        ours.send("end")
        print(f"{CONNECTIONS} connections were opened {ours.recv():,} times")
    finally:
        process.join(10)
        process.kill()


def probes(cloud: Cloud, http: httpx.Client) -> dict[str, Callable[[], httpx.Response]]:
    """What the others ask, by its name."""
    fresh = count()
    body = b"{}"
    signed = {SIGNATURE: signature(cloud.endpoints["HOOKDECK_WEBHOOK_SECRET"], body)}
    return {
        "/healthz": lambda: http.get("/healthz"),
        "/": lambda: http.get("/"),
        "a search": lambda: http.get(
            "/search", params={"query": f"trees that stand in salt water {next(fresh)}"}
        ),
        "a callback": lambda: http.post(
            f"/webhooks/embedding/{NOBODY}/0-0", content=body, headers=signed
        ),
    }


def measure(cloud: Cloud, seconds: float) -> dict[str, list[float]]:
    """What each takes, in ms, asked one after the other for so many seconds."""
    with httpx.Client(base_url=cloud.address, timeout=60.0) as http:
        asked = probes(cloud, http)
        took: dict[str, list[float]] = {name: [] for name in asked}
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for name, ask in asked.items():
                began = time.perf_counter()
                answer = ask()
                took[name].append(1000 * (time.perf_counter() - began))
                if answer.status_code >= 500:
                    raise RuntimeError(f"{name} was answered {answer.status_code}: {answer.text}")
    return took


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    processes = sys.argv[2] if len(sys.argv) > 2 else "1"
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        running_cloud(Path(folder) / "var", {"PROCESSES": processes}) as cloud,
    ):
        person = Person(cloud)
        for page in PAGES:
            person.index(f"{cloud.address}/examples/{page}.html")
        wait_for(lambda: person.http.get("/healthz").status_code == 200, "all is well")
        person.http.close()
        measure(cloud, seconds / 6)
        print(f"load before: {os.getloadavg()[0]:.1f}")
        quiet = measure(cloud, seconds / 2)
        with attacked(cloud):
            loud = measure(cloud, seconds)
        after = measure(cloud, seconds / 2)
        print(f"load after: {os.getloadavg()[0]:.1f}")
        print("| what | before and after | with the attack | times | worst with it |")
        print("|---|---|---|---|---|")
        for name, took in loud.items():
            alone = statistics.median(quiet[name] + after[name])
            meanwhile = statistics.median(took)
            print(
                f"| {name} | {alone:.1f} ms | {meanwhile:.1f} ms | {meanwhile / alone:.2f} | "
                f"{max(took):.0f} ms of {len(took):,} |"
            )


if __name__ == "__main__":
    main()
