"""The project's folder in the user's cache, which all checkouts and copies share."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_dir() -> Path:
    """The folder, which may not exist yet. XDG_CACHE_HOME moves it."""
    home = os.environ.get("XDG_CACHE_HOME")
    if not home:
        home = "~/Library/Caches" if sys.platform == "darwin" else "~/.cache"
    return Path(home).expanduser() / "index-all-the-things"
