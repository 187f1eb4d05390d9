"""MongoDB Atlas on one machine: SecantusDB behind a proxy that adds the search commands."""

from __future__ import annotations

import sys
from pathlib import Path

# A follower that was away longer than this rebuilds its index by a scan of the collection.
OPLOG_SECONDS = 24 * 3600
OPLOG_ENTRIES = 100_000


def secantus_argv(port: int, storage: Path) -> list[str]:
    """The command that runs SecantusDB (GPL, so a process of its own) on 127.0.0.1.

    Without --sync-on-commit a killed server forgets writes that it had acknowledged.
    """
    return [
        *(sys.executable, "-m", "localcloud.secantus", "--host", "127.0.0.1", "--port", str(port)),
        *("--storage-path", str(storage), "--sync-on-commit", "--log-level", "WARNING"),
        *("--oplog-retention-seconds", str(OPLOG_SECONDS)),
        *("--oplog-max-entries", str(OPLOG_ENTRIES)),
    ]
