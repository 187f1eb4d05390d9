"""How fast a long list is accepted and looked at.

    python -m tools.bench_imports [LINES] [SECONDS]

Sends a list of pages of a local site to a copy whose models answer at once, then watches its
import for that many seconds. Each part computes on the same machine, the site too, so the CPU time
of each part stands beside the rate.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from tools.harness import processes
from tools.harness.cloud import ROOT, Cloud, running_cloud
from tools.harness.person import JSON
from tools.harness.site import Page, running_site

SETTINGS = {
    "MODELS_DIR": str(ROOT / "tests" / "faults" / "models"),
    "FETCH_ALLOW": "127.0.0.1",
}
PARTS = {
    "app": "-m serve",
    "worker": "app worker",
    "readers": "multiprocessing.forkserver",
    "database": "secantus --host",
    "its proxy": "localcloud.atlas",
    "Replicate": "localcloud.replicate",
    "models": "coglet",
    "gateway": "localcloud.hookdeck",
}
# Seconds between two looks at the import and the home page.
EVERY = 2.0


def page(number: int) -> Page:
    """A short page of its own text."""
    text = f"Stone number {number} of the wall is {number * 7} years old. " * 8
    body = f"<html><head><title>Stone {number}</title></head><body><p>{text}</p></body></html>"
    return Page(body.encode())


def cpu_of(cloud: Cloud) -> dict[str, float]:
    """CPU seconds of each part so far, and of its children that have ended."""
    spent = dict.fromkeys(PARTS, 0.0)
    for pid in cloud.pids():
        line = processes.command_line(pid)
        for part, text in PARTS.items():
            if text in line:
                spent[part] += processes.cpu_seconds(pid, with_ended_children=True)
    return spent


def tell(before: Mapping[str, float], after: Mapping[str, float]) -> None:
    """Print the CPU seconds of each part between two moments."""
    print("CPU s:", ", ".join(f"{part} {after[part] - before[part]:.1f}" for part in PARTS))


def watch(http: httpx.Client, address: str, seconds: float) -> tuple[float, list[float]]:
    """How many lines a second came to their ends, and how long the home page took meanwhile."""
    began, took = time.monotonic(), list[float]()
    while time.monotonic() - began < seconds:
        asked = time.monotonic()
        http.get("/", headers={"Accept": "text/html"}).raise_for_status()
        took.append(time.monotonic() - asked)
        told = http.get(address).json()["import"]
        ended = told["lines"] - told["counts"]["waiting"]
        if told["state"] == "done":
            break
        time.sleep(EVERY)
    return ended / (time.monotonic() - began), took


def main(lines: int = 10_000, seconds: float = 60.0) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        running_site({f"/{number}": page(number) for number in range(lines)}) as site,
        running_cloud(Path(folder) / "var", SETTINGS) as cloud,
        httpx.Client(base_url=cloud.address, timeout=300.0, headers=JSON) as http,
    ):
        text = "\n".join(site.url(f"/{number}") for number in range(lines))
        http.post("/check", files={"file": ("one.txt", b"no url")})  # readers are loaded once
        before, began = cpu_of(cloud), time.monotonic()
        answer = http.post("/process", files={"file": ("list.txt", text.encode())})
        accepted = time.monotonic() - began
        answer.raise_for_status()
        print(f"load {os.getloadavg()[0]:.1f}; {lines:,} lines accepted in {accepted:.1f} s")
        tell(before, cpu_of(cloud))
        before = cpu_of(cloud)
        rate, took = watch(http, answer.headers["Location"], seconds)
        after = cpu_of(cloud)
        print(f"load {os.getloadavg()[0]:.1f}; {rate:.1f} lines looked at a second")
        print(f"home page meanwhile: median {1000 * statistics.median(took):.0f} ms")
        tell(before, after)


if __name__ == "__main__":
    main(*(int(each) for each in sys.argv[1:3]))
