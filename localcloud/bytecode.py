"""Keeps compiled modules where Python was told to write none.

Containers and shared machines often set PYTHONDONTWRITEBYTECODE, so that source folders stay clean.
Each program of a copy would then compile all its modules at each start, which takes as long as the
rest of the start.
"""

from __future__ import annotations

import os
import sys

from localcloud.cache import cache_dir


def keep() -> None:
    """Have this process, and those that it starts, keep compiled modules in the user's cache."""
    if not sys.dont_write_bytecode:
        return
    sys.dont_write_bytecode = False
    sys.pycache_prefix = sys.pycache_prefix or str(cache_dir() / "bytecode")
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
