from __future__ import annotations

import stat
from pathlib import Path

import pytest

from allthethings.hookdeck.connections import (
    EMBEDDINGS,
    RETRY_RULE,
    Connection,
    connection_of,
    write_env,
)
from localcloud.hookdeck.rules import status_listed

# The statuses that the app or a proxy before it answers a callback with, but for success.
ANSWERS = (400, 401, 404, 413, 429, 500, 502, 503, 504)

ENV = """\
# A comment, kept
SECRET_KEY="with = and # in it"

  export  SPACED = yes   # and this
AUDIO_WEBHOOK_URL=""
not a setting at all
AUDIO_WEBHOOK_URL_OLD=keep
LAST=1"""


def test_the_two_names_are_set_and_every_other_line_stays(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(ENV)
    path.chmod(0o600)
    urls = {"AUDIO_WEBHOOK_URL": "https://hkdk.events/a", "EMBEDDINGS_WEBHOOK_URL": "https://h/e"}
    assert write_env(path, urls) == list(urls)
    assert path.read_text() == (
        ENV.replace('AUDIO_WEBHOOK_URL=""', "AUDIO_WEBHOOK_URL=https://hkdk.events/a")
        + "\nEMBEDDINGS_WEBHOOK_URL=https://h/e\n"
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(ENV)
    urls = {"AUDIO_WEBHOOK_URL": "https://hkdk.events/a"}
    write_env(path, urls)
    before = path.read_bytes(), path.stat().st_mtime_ns
    assert write_env(path, urls) == []
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_a_file_that_is_not_there_is_made(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    write_env(path, {"AUDIO_WEBHOOK_URL": "http://127.0.0.1:1/e/src_1"})
    assert path.read_text() == "AUDIO_WEBHOOK_URL=http://127.0.0.1:1/e/src_1\n"


def test_the_connection_of_a_model() -> None:
    assert connection_of("audio") == Connection(
        "replicate-audio", "/webhooks/audio", "AUDIO_WEBHOOK_URL"
    )
    assert connection_of("speech-notes").variable == "SPEECH_NOTES_WEBHOOK_URL"


CONNECTIONS = (connection_of("audio"), EMBEDDINGS)


@pytest.mark.parametrize("connection", CONNECTIONS, ids=lambda each: each.name)
def test_deliveries_go_to_the_app_or_to_the_cli(connection: Connection) -> None:
    http = connection.payload("whsec_x", "https://things.example")["destination"]
    assert http["type"] == "HTTP"
    assert http["config"] == {"url": f"https://things.example{connection.path}"}
    cli = connection.payload("whsec_x", "")["destination"]
    assert (cli["type"], cli["config"]) == ("CLI", {"path": connection.path})


def test_only_answers_that_may_change_are_delivered_again() -> None:
    listed = RETRY_RULE["response_status_codes"]
    retried = [status for status in ANSWERS if status_listed(status, listed)]
    assert retried == [401, 429, 500, 502, 503, 504]
