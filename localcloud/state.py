"""The launcher's files in DATA_DIR: a lock, the ports and secrets, and endpoints.env."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import string
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from localcloud.launch_settings import (
    HOOKDECK_PROJECT_API_KEY,
    HOOKDECK_WEBHOOK_SECRET,
    REPLICATE_API_TOKEN,
    REPLICATE_WEBHOOKS_SECRET,
    LaunchError,
)

STATE_FILE = "launcher.json"
ENDPOINTS_FILE = "endpoints.env"


def replicate_token() -> str:
    """A token like Replicate's: `r8_` and 37 letters and digits."""
    letters = string.ascii_letters + string.digits
    return "r8_" + "".join(secrets.choice(letters) for _ in range(37))


def webhook_secret() -> str:
    """A Standard Webhooks secret: `whsec_` and 24 to 64 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


GENERATORS: Mapping[str, Callable[[], str]] = {
    "SECRET_KEY": secrets.token_urlsafe,
    REPLICATE_API_TOKEN: replicate_token,
    REPLICATE_WEBHOOKS_SECRET: webhook_secret,
    HOOKDECK_PROJECT_API_KEY: secrets.token_urlsafe,
    HOOKDECK_WEBHOOK_SECRET: secrets.token_urlsafe,
}


def write_private(path: Path, text: str) -> None:
    """Replace the file atomically. Only its owner can ever read it."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def lock_data_dir(data_dir: Path) -> IO[str]:
    """Lock the folder for this copy while the returned file is open, and make it private."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        data_dir.chmod(0o700)
        lock = (data_dir / "lock").open("a+")
    except OSError as error:
        raise LaunchError(f"DATA_DIR={data_dir} cannot be used: {error.strerror}.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        with lock:
            lock.seek(0)
            owner = lock.read().strip()
        raise LaunchError(
            f"{data_dir} is in use by another running copy (process {owner}).\n"
            "Stop that one, or choose another folder: make run DATA_DIR=other PORT=5001"
        ) from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


class State:
    """The ports and secrets of one DATA_DIR, which are the same at every start."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / STATE_FILE
        try:
            kept = json.loads(self._path.read_text())
        except FileNotFoundError:
            kept = {}
        except ValueError:
            kept = None
        if not isinstance(kept, dict) or not all(isinstance(part, dict) for part in kept.values()):
            raise LaunchError(f"{self._path} is damaged. Delete it to start anew.")
        self.ports: dict[str, int] = kept.get("ports", {})
        self.secrets: dict[str, str] = kept.get("secrets", {})

    def complete(self) -> None:
        """Generate the missing secrets and save everything."""
        for name, generate in GENERATORS.items():
            self.secrets.setdefault(name, generate())
        kept = {"ports": self.ports, "secrets": self.secrets}
        write_private(self._path, json.dumps(kept, indent=2) + "\n")
