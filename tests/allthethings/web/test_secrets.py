"""No secret in a log, an error, or the words of a service that are passed on."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import httpx
import pytest

from allthethings.errors import BadInput, IndexingError
from allthethings.hookdeck.connections import EMBEDDINGS, create_connections
from allthethings.mongo import Database
from allthethings.redaction import HIDDEN, HidingFormatter, secrets_of, without
from allthethings.replicate.client import ReplicateClient
from config import HookdeckSettings, MongoSettings, SettingsError
from localcloud.launch_settings import read_settings
from tests.allthethings.web.in_memory import make_settings
from tests.allthethings.web.refusing import refusing

TOKEN = "r8_0123456789abcdefghij"
KEY = "hookdeck0123456789"
WHSEC = "whsec_MDEyMzQ1Njc4OWFiY2RlZg=="


@pytest.mark.parametrize("status", [401, 422, 500])
def test_what_replicate_says_is_passed_on_without_the_token(status: int) -> None:
    with refusing(status) as address, pytest.raises(IndexingError) as caught:
        ReplicateClient(TOKEN, address).create("v", {"a": 1}, "https://gateway.test/")
    assert TOKEN not in str(caught.value)
    assert str(status) in str(caught.value)


@pytest.mark.parametrize("status", [401, 422, 500])
def test_what_hookdeck_says_is_passed_on_without_the_keys(status: int) -> None:
    with refusing(status) as address, pytest.raises(IndexingError) as caught:
        create_connections([EMBEDDINGS], address, KEY, WHSEC, "")
    assert KEY not in str(caught.value)
    assert WHSEC not in str(caught.value)
    assert str(status) in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://user:sEcret/sEcret@host/",
        "mongodb://user:12/sEcret@host/",
        "mongodb://user:sEcret:x@host:port/",
        "mongodb+srv://user:sEcret@host:1/",
        "mongodb://user:sEc%zzret@host/",
        "mysql://user:sEcret@host/",
        "user:sEcret@host",
    ],
)
def test_a_connection_string_that_is_wrong_is_not_quoted(uri: str) -> None:
    with pytest.raises(BadInput, match="MONGODB_CONNECTION_URI cannot be read") as caught:
        Database(uri, "iaat")
    lines = HidingFormatter("%(message)s", ()).formatException(
        (BadInput, caught.value, caught.value.__traceback__)
    )
    assert "ret@" not in lines.replace(uri, "")
    assert "The above exception" not in lines
    assert "During handling" not in lines


def test_the_log_blots_out_secrets_in_causes_too() -> None:
    formatter = HidingFormatter("%(message)s", {TOKEN})
    try:
        try:
            raise httpx.LocalProtocolError(f"Illegal header value b'Bearer {TOKEN}'")
        except httpx.HTTPError as error:
            raise RuntimeError("no answer") from error
    except RuntimeError:
        record = logging.LogRecord(
            "app", logging.ERROR, __file__, 1, "asked with %s", (TOKEN,), sys.exc_info()
        )
    lines = formatter.format(record)
    assert TOKEN not in lines
    assert lines.count(HIDDEN) == 2
    assert "LocalProtocolError" in lines


def test_a_password_is_found_in_both_spellings() -> None:
    secrets = secrets_of("mongodb+srv://user:p%40ss%20word@cluster.example/?w=1")
    assert without("p@ss word or p%40ss%20word", secrets) == f"{HIDDEN} or {HIDDEN}"
    assert not secrets_of("mongodb://127.0.0.1:27017/")
    assert without("a short one", {"short", ""}) == "a short one"


@pytest.mark.parametrize(
    "value", [TOKEN + "\n" + TOKEN, TOKEN + "é", TOKEN + " " + TOKEN, TOKEN + "\x01"]
)
def test_a_token_that_no_header_holds_is_named_not_quoted(
    value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # The HTTP client would quote the header in its error.
    monkeypatch.setenv("REPLICATE_API_TOKEN", value)
    with pytest.raises(SettingsError, match="REPLICATE_API_TOKEN") as caught:
        HookdeckSettings.from_env(tmp_path / "none")
    assert TOKEN not in str(caught.value)


def test_settings_do_not_show_what_they_hold(tmp_path: Path) -> None:
    password = "horse battery"
    uri = f"mongodb://user:{KEY}@host/"
    shown = repr(
        make_settings(
            secret_key=WHSEC,
            mongo=MongoSettings(uri=uri),
            replicate_api_token=TOKEN,
            hookdeck_webhook_secret=KEY,
            app_password=password,
            hookdeck_api_key=KEY,
        )
    )
    shown += repr(
        HookdeckSettings(api_key=KEY, replicate_webhooks_secret=WHSEC, replicate_api_token=TOKEN)
    )
    shown += repr(read_settings(tmp_path, {"APP_PASSWORD": password, "REPLICATE_API_TOKEN": TOKEN}))
    assert not [secret for secret in (WHSEC, TOKEN, KEY, password) if secret in shown]
