"""Asks whether a server is ready: over HTTP, or by a write to MongoDB that is read again."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

HEALTH = "/healthz"
SEARCH = "/search?query=ready"


def http_problem(address: str, path: str = HEALTH, timeout: float = 5.0) -> str | None:
    """None if GET of the path answers 200, else the problem in words."""
    url = urlsplit(address)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=timeout)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read(2_000).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return f"no answer ({error})"
    finally:
        connection.close()
    return None if answer.status == 200 else f"it answers {answer.status}: {body}"


def mongodb_problem(uri: str) -> str | None:
    """None if the server stores a document and finds it, else the problem in words."""
    # The import takes half a second, during which the other programs start.
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    client: MongoClient[dict[str, object]] = MongoClient(
        uri, serverSelectionTimeoutMS=500, socketTimeoutMS=5_000
    )
    try:
        client.localcloud.ready.replace_one({"_id": 1}, {}, upsert=True)
        client.localcloud.ready.find_one({"_id": 1})
    except PyMongoError as error:
        return f"no answer ({str(error)[:200]})"
    finally:
        client.close()
    return None
