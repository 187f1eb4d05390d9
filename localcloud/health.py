"""Ask a server's /healthz whether it and what it needs are up."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit


def trouble(address: str, timeout: float = 5.0) -> str | None:
    """None when GET /healthz answers 200, else why not, in words."""
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
