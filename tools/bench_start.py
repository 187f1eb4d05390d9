"""How long a start and a stop take, and what a copy needs when nobody asks anything: part of
`make bench`.

    python -m tools.bench_start [quick] [STARTS]

Fills a copy with passages and stops it. Then starts it several times as `make run` does: the check
of what is installed, then everything until the copy says that it is ready. Right after that it
asks one search and 30 others. Beside the time of a start stand the CPU seconds of all processes
until then, which tell more on a machine that is busy with other things. The last copy is left
alone for some seconds, and the CPU time and the memory of each of its processes are printed. A
stop lasts until no process is left.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from localcloud.ports import pick_port
from tools.bench_imports import PARTS
from tools.bench_search import WORDS, fill
from tools.harness import processes
from tools.harness.cloud import ROOT, Cloud, clean_environment, running_cloud, start_cloud
from tools.harness.person import Person
from tools.harness.waiting import wait_for

STARTS, QUICK_STARTS = 5, 2
PASSAGES = 2_000
SEARCHES = 30
# Seconds for which the copy is left alone.
IDLE_SECONDS, QUICK_IDLE_SECONDS = 60.0, 15.0
# Seconds after the searches until nothing of the start goes on.
SETTLE_SECONDS = 15.0
# With another port the setup scripts would run again.
ENVIRONMENT = {"EXAMPLES": "0", "PORT": str(pick_port())}
CHECK = ("sh", "tools/python.sh", "tools/install.py", "main", "localcloud")
PARTS_OF_A_COPY = {
    "launcher": "-m localcloud ",
    "models' servers": "cog.server.http",
    **PARTS,
}


def name_of(pid: int) -> str:
    """The part that a process belongs to."""
    line = processes.command_line(pid)
    return next((part for part, text in PARTS_OF_A_COPY.items() if text in line), line[:40])


def memory_of(pid: int) -> tuple[int, int]:
    """Kilobytes: the resident memory of a process, and its share of it, for which each page counts
    by the number of processes that have it."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    fields = {words[0]: int(words[1]) for line in rollup[1:] if (words := line.split())}
    return fields["Rss:"], fields["Pss:"]


def check_seconds() -> float:
    """How long `make run` takes to see that everything is installed."""
    began = time.monotonic()
    subprocess.run(CHECK, cwd=ROOT, env=clean_environment(ROOT / "var", {}), check=True)
    return time.monotonic() - began


def search_times(cloud: Cloud, draw: random.Random) -> tuple[float, float]:
    """Milliseconds of the first search, and the median of those after it."""
    person, took = Person(cloud), list[float]()
    for _ in range(1 + SEARCHES):
        query = " ".join(draw.sample(WORDS, draw.randint(3, 9)))
        began = time.perf_counter()
        person.search(query)
        took.append((time.perf_counter() - began) * 1000)
    person.http.close()
    return took[0], statistics.median(took[1:])


def stop_seconds(cloud: Cloud) -> float:
    """How long a stop takes, until no process is left."""
    pids, began = cloud.pids(), time.monotonic()
    cloud.stop()
    wait_for(lambda: not any(map(processes.is_alive, pids)), "the end of all processes")
    return time.monotonic() - began


def idle_table(cloud: Cloud, seconds: float) -> list[str]:
    """Lines that tell what each part computes while nobody asks anything, and its memory."""
    time.sleep(SETTLE_SECONDS)
    pids = cloud.pids()
    before = {pid: processes.cpu_seconds(pid) for pid in pids}
    time.sleep(seconds)
    cpu, resident, share = Counter[str](), Counter[str](), Counter[str]()
    for pid in pids:
        part, (rss, pss) = name_of(pid), memory_of(pid)
        cpu[part] += round((processes.cpu_seconds(pid) - before[pid]) * 1000)
        resident[part] += rss
        share[part] += pss
    lines = ["| part | idle, % of a core | resident, MB | its share, MB |", "|---|---|---|---|"]
    for part, kilobytes in share.most_common():
        percent = cpu[part] / seconds / 10
        memory = f"{resident[part] / 1e3:.0f} | {kilobytes / 1e3:.0f}"
        lines.append(f"| {part} | {percent:.2f} | {memory} |")
    percent, total = sum(cpu.values()) / seconds / 10, sum(share.values()) / 1e3
    return [*lines, f"| all | {percent:.2f} | | {total:.0f} |"]


def main(words: Sequence[str]) -> int:
    numbers = [int(word) for word in words if word.isdigit()]
    quick = "quick" in words
    starts = numbers[0] if numbers else QUICK_STARTS if quick else STARTS
    idle_seconds = QUICK_IDLE_SECONDS if quick else IDLE_SECONDS
    draw = random.Random(5)  # noqa: S311
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        data_dir = Path(folder) / "var"
        with running_cloud(data_dir, ENVIRONMENT) as cloud:
            fill(cloud, PASSAGES)
            person = Person(cloud)
            wait_for(lambda: person.search(WORDS[0]), "the index")
            person.http.close()
        print("| check | start | computed | first search | 30 others | stop | load |")
        print("|---|---|---|---|---|---|---|", flush=True)
        for number in range(starts):
            checked, began = check_seconds(), time.monotonic()
            cloud = start_cloud(data_dir, ENVIRONMENT)
            started, spent = time.monotonic() - began, sum(map(processes.cpu_seconds, cloud.pids()))
            first, others = search_times(cloud, draw)
            is_last = number == starts - 1
            idle = idle_table(cloud, idle_seconds) if is_last else []
            stopped, load = stop_seconds(cloud), os.getloadavg()[0]
            start = f"{checked:.1f} s | {started:.1f} s | {spent:.1f} s"
            cells = f"{start} | {first:.0f} ms | {others:.0f} ms | {stopped:.1f} s | {load:.1f}"
            print("\n".join([f"| {cells} |", *idle]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
