"""Measure hostile servers against a copy of the project: python -m tools.bench_hostile

Prints lines of a table: how long a submit of each lasts, how far the app's memory grows, and
what a search takes meanwhile. The machine should be otherwise quiet.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from tools.harness.cloud import Cloud, running_cloud
from tools.harness.hostile import HOSTILE, at_every_stage, slug
from tools.harness.person import Person
from tools.harness.servers import serving

PAGES = ["braille", "concrete", "mangroves", "ultramarine"]
QUERY = "trees that stand in salt water"
SEARCHES = 40
AT_ONCE = 8
CROWDS = {
    "a crowd": ["header dribble", "endless body", "never answers", "gzip bomb", "body dribble"] * 4,
    "a crowd that never answers": ["never answers"] * 30,
}
STAGES = {
    "look": "hostile from the first request",
    "page": "hostile when the page is asked for",
    "late": "late at each request, then hostile",
}


def serve(pipe: Connection) -> None:
    """The hostile servers, in a process of their own: it is not their speed that is measured."""
    with serving(at_every_stage(threading.Event())) as server:
        pipe.send(server.port)
        pipe.recv()


@contextmanager
def hostile_address() -> Iterator[str]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
    process.start()
    try:
        yield f"127.0.0.1:{ours.recv()}"
        ours.send("end")
    finally:
        process.join(10)
        process.kill()


class Memory:
    """The resident memory of the app, in MB. It is the kernel that notes its peak."""

    def __init__(self, cloud: Cloud) -> None:
        (app,) = cloud.pids_of("-m serve")
        self._folder = Path("/proc") / str(app)

    def forget_peak(self) -> float:
        """The memory now, which is the peak from here on."""
        (self._folder / "clear_refs").write_text("5")
        return self._read("VmRSS")

    def peak(self) -> float:
        return self._read("VmHWM")

    def _read(self, name: str) -> float:
        lines = (self._folder / "status").read_text().splitlines()
        (line,) = (line for line in lines if line.startswith(f"{name}:"))
        return int(line.split()[1]) / 1000


def timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def searches(person: Person, until: Callable[[int], bool]) -> list[float]:
    """What each search took, in ms, one after the other."""
    took: list[float] = []
    while not until(len(took)):
        took.append(1000 * timed(lambda: person.search(QUERY)))
    return took


def submit(cloud: Cloud, url: str) -> float:
    """Seconds until the person has an answer and the thing, if there is one, has its end."""
    person = Person(cloud)

    def do() -> None:
        answer = person.http.post("/process", data={"url": url})
        if answer.status_code == 201:
            asset = person.finished(answer.json()["asset"]["id"])
            if asset["status"] != "PROCESSING_ERROR":
                raise RuntimeError(f"{url} ended as {asset['status']}")
        elif answer.status_code != 422:
            raise RuntimeError(f"{url} was answered {answer.status_code}")

    try:
        return timed(do)
    finally:
        person.http.close()


def measure(cloud: Cloud, urls: dict[str, str], at_once: int, title: str) -> None:
    """One line of the table. The searches go on while the submits do."""
    person, memory = Person(cloud), Memory(cloud)
    before = searches(person, lambda done: done == SEARCHES)
    began_with = memory.forget_peak()
    with ThreadPoolExecutor(at_once) as pool:
        submits = {name: pool.submit(submit, cloud, url) for name, url in urls.items()}
        during = searches(person, lambda _: all(each.done() for each in submits.values()))
    seconds = {name: each.result() for name, each in submits.items()}
    slowest = max(seconds, key=lambda name: seconds[name])
    median, meanwhile = statistics.median(before), statistics.median(during)
    print(
        f"| {title}: {len(urls)} servers, {at_once} at once | longest {seconds[slowest]:.1f} s "
        f"({slowest}); memory +{memory.peak() - began_with:.0f} MB; a search {median:.0f} ms "
        f"before, {meanwhile:.0f} ms meanwhile ({meanwhile / median:.2f} times, "
        f"worst of {len(during)}: {max(during):.0f} ms) |",
        flush=True,
    )
    person.http.close()


def main() -> None:
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        address = stack.enter_context(hostile_address())
        cloud = stack.enter_context(running_cloud(Path(folder) / "var", {"FETCH_ALLOW": address}))
        person = Person(cloud)
        for page in PAGES:
            person.index(f"{cloud.address}/examples/{page}.html")
        searches(person, lambda done: done == SEARCHES)
        person.http.close()
        print("| what | measured |\n|---|---|")
        for stage, title in STAGES.items():
            urls = {name: f"http://{address}/{stage}/{slug(name)}" for name in HOSTILE}
            measure(cloud, urls, AT_ONCE, title)
        for title, crowd in CROWDS.items():
            urls = {
                f"{name}, number {number}": f"http://{address}/page/{slug(name)}?{slug(title)}-{number}"
                for number, name in enumerate(crowd)
            }
            measure(cloud, urls, len(urls), title)


if __name__ == "__main__":
    main()
