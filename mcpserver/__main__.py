"""`python -m mcpserver`: speak MCP over stdin and stdout.

ALL_THE_THINGS_URL is where the app is, ALL_THE_THINGS_TOKEN one of its API_TOKENS, if it has a
password.
"""

from __future__ import annotations

import os
import re
import sys
from urllib.parse import urlsplit

from mcpserver.api import Api
from mcpserver.server import create_server

DEFAULT_URL = "http://127.0.0.1:5000"
# What a header takes as a token. The HTTP client would quote any other one in its error.
TOKEN = re.compile(r"[!-~]*")


def main() -> None:
    url = os.environ.get("ALL_THE_THINGS_URL", "").strip() or DEFAULT_URL
    token = os.environ.get("ALL_THE_THINGS_TOKEN", "").strip()
    if urlsplit(url).scheme not in ("http", "https") or "@" in url:  # the tools tell the URL
        sys.exit("ALL_THE_THINGS_URL has to be an http or https URL without a user or a password.")
    if not TOKEN.fullmatch(token):
        sys.exit("ALL_THE_THINGS_TOKEN has characters in it that no token has.")
    create_server(Api(url, token)).run()


if __name__ == "__main__":
    main()
