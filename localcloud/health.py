"""Ask a server whether it and what it needs are up: /healthz, or MongoDB's ping."""

from __future__ import annotations

import http.client
from typing import Any
from urllib.parse import urlsplit

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from pymongo import MongoClient
from pymongo.errors import PyMongoError


def http_trouble(address: str, timeout: float = 5.0) -> str | None:
    """None when all is well, else why not, in words. `address` is a http or mongodb URL."""
    if address.startswith("mongodb:"):
        return _mongodb_trouble(address, timeout)
    url = urlsplit(address)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=timeout)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        body = answer.read(2_000).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return f"no answer ({error})"
    finally:
        connection.close()
    return None if answer.status == 200 else f"answers {answer.status}: {body}"


def _mongodb_trouble(address: str, timeout: float) -> str | None:
    client: MongoClient[dict[str, Any]]
    with MongoClient(address, serverSelectionTimeoutMS=int(timeout * 1000)) as client:
        try:
            client.admin.command("ping")
        except PyMongoError as error:
            return f"no answer ({error})"
    return None


def mongodb_trouble(uri: str) -> str | None:
    """None when the server answers a ping, else why not, in words."""
    client: MongoClient[dict[str, object]] = MongoClient(
        uri, serverSelectionTimeoutMS=500, socketTimeoutMS=5_000
    )
    try:
        client.admin.command("ping")
    except PyMongoError as error:
        return f"no answer ({str(error)[:200]})"
    finally:
        client.close()
    return None
