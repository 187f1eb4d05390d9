from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

from localcloud.endpoints import endpoints
from localcloud.launch_settings import (
    ENV_EXAMPLE,
    LaunchError,
    Settings,
    read_settings,
    webhook_urls,
)
from localcloud.parts import Parts
from tools.harness.cloud import ROOT, clean_environment

WHERE_SETTINGS_ARE_READ = [
    "config.py",
    *(f"localcloud/{name}.py" for name in ("cache", "launch_settings")),
    *(f"localcloud/weights/{name}.py" for name in ("cache", "packages")),
]


def settings_of(tmp_path: Path, text: str = "", **environment: str) -> Settings:
    (tmp_path / ".env").write_text(text)
    return read_settings(tmp_path, environment)


def test_nothing_set_means_stand_ins_on_loopback(tmp_path: Path) -> None:
    chosen = read_settings(tmp_path, {})
    assert (chosen.host, chosen.port) == ("127.0.0.1", 5000)
    assert chosen.data_dir == tmp_path / "var"
    assert chosen.local_mongodb
    assert chosen.local_replicate
    assert chosen.local_hookdeck
    assert chosen.examples_url == "http://127.0.0.1:5000"
    chosen.check()


def test_environment_wins_over_the_file(tmp_path: Path) -> None:
    chosen = settings_of(tmp_path, "PORT=5001\nHOST=::1\n", PORT="5002", DATA_DIR="/elsewhere")
    assert chosen.port == 5002
    assert chosen.address == "http://[::1]:5002"
    assert str(chosen.data_dir) == "/elsewhere"


def test_an_empty_name_counts_as_not_set_and_hides_the_file(tmp_path: Path) -> None:
    assert settings_of(tmp_path, "MONGODB_CONNECTION_URI=\n").local_mongodb
    assert settings_of(
        tmp_path, "REPLICATE_API_TOKEN=r8_x\n", REPLICATE_API_TOKEN=""
    ).local_replicate


@pytest.mark.parametrize("port", ["0", "65536", "-1", "five", "5000.0", "\u0665"])
def test_a_port_that_is_none_is_refused(tmp_path: Path, port: str) -> None:
    with pytest.raises(LaunchError, match="PORT must be a number"):
        settings_of(tmp_path, PORT=port)


def test_real_replicate_without_real_hookdeck_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="cannot call back to this machine"):
        settings_of(tmp_path, REPLICATE_API_TOKEN="r8_x").check()


def test_real_hookdeck_says_all_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(LaunchError) as caught:
        settings_of(tmp_path, HOOKDECK_PROJECT_API_KEY="key").check()
    for words in (
        "HOOKDECK_WEBHOOK_SECRET is missing",
        "REPLICATE_WEBHOOKS_SECRET is missing",
        "AUDIO_WEBHOOK_URL and IMAGE_WEBHOOK_URL and EMBEDDINGS_WEBHOOK_URL missing",
        "create-hookdeck-connections.py",
    ):
        assert re.search(re.escape(words), str(caught.value))


def test_each_webhook_of_the_example_file_has_to_have_a_url(tmp_path: Path) -> None:
    example = tmp_path / "example"
    example.write_text(ENV_EXAMPLE.read_text("utf-8") + "\nVIDEO_WEBHOOK_URL=\n", "utf-8")
    assert webhook_urls(example) == [*webhook_urls(ENV_EXAMPLE), "VIDEO_WEBHOOK_URL"]


def test_all_real_services_need_no_stand_in(tmp_path: Path) -> None:
    chosen = settings_of(
        tmp_path,
        MONGODB_CONNECTION_URI="mongodb+srv://cluster.example/",
        REPLICATE_API_TOKEN="r8_x",
        HOOKDECK_PROJECT_API_KEY="key",
        HOOKDECK_WEBHOOK_SECRET="secret",
        AUDIO_WEBHOOK_URL="https://gateway.example/a",
        IMAGE_WEBHOOK_URL="https://gateway.example/i",
        EMBEDDINGS_WEBHOOK_URL="https://gateway.example/b",
        FETCH_ALLOW="files.example",
    )
    chosen.check()
    assert not any((chosen.local_mongodb, chosen.local_replicate, chosen.local_hookdeck))
    assert not chosen.examples_url
    assert chosen.fetch_allow == "files.example"


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({"EXAMPLES": "true"}, "http://127.0.0.1:5000"),
        ({"EXAMPLES": "0"}, ""),
        ({"APP_URL": "https://things.example"}, "http://127.0.0.1:5000"),
        ({"REPLICATE_API_TOKEN": "r8_x", "APP_URL": "https://things.example"}, ""),
        (
            {"REPLICATE_API_TOKEN": "r8_x", "APP_URL": "https://things.example", "EXAMPLES": "1"},
            "https://things.example",
        ),
        ({"REPLICATE_API_TOKEN": "r8_x", "EXAMPLES": "1"}, ""),
    ],
)
def test_the_examples_are_where_the_models_find_them(
    tmp_path: Path, environment: dict[str, str], url: str
) -> None:
    assert settings_of(tmp_path, **environment).examples_url == url


@pytest.mark.parametrize("known", ["", "https://things.example"])
def test_people_know_the_app_by_another_address_than_the_stand_ins(
    tmp_path: Path, known: str
) -> None:
    chosen = settings_of(tmp_path, APP_URL=known)
    ports = dict.fromkeys(("mongodb", "hookdeck", "replicate"), 21000)
    secrets: dict[str, str] = defaultdict(str)
    parts = Parts(tmp_path, chosen, ports, endpoints(chosen, ports, secrets))
    assert parts.app().env["APP_URL"] == parts.worker().env["APP_URL"] == known
    script = parts.script("create-hookdeck-connections", tmp_path / "endpoints.env")
    assert script.env["APP_URL"] == "http://127.0.0.1:5000"


def test_the_examples_server_may_be_fetched(tmp_path: Path) -> None:
    chosen = settings_of(tmp_path, FETCH_ALLOW="files.example, 10.0.0.1:81", HOST="0.0.0.0")  # noqa: S104
    assert chosen.fetch_allow == "files.example,10.0.0.1:81,127.0.0.1:5000,localhost:5000"
    assert chosen.address == "http://127.0.0.1:5000"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "things.example"])  # noqa: S104
def test_an_open_app_without_a_password_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(LaunchError, match=r"HOST=[\s\S]*APP_PASSWORD, or ALLOW_OPEN=1"):
        settings_of(tmp_path, HOST=host, APP_PASSWORD=" ").check()
    settings_of(tmp_path, HOST=host, APP_PASSWORD="horse battery").check()
    settings_of(tmp_path, HOST=host, ALLOW_OPEN="1").check()


def test_an_app_that_others_know_is_refused_without_a_password(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match=r"APP_URL=[\s\S]*APP_PASSWORD, or ALLOW_OPEN=1"):
        settings_of(tmp_path, APP_URL="https://things.example").check()
    settings_of(tmp_path, APP_URL="https://things.example", APP_PASSWORD="horse").check()
    settings_of(tmp_path, APP_URL="http://localhost:5000").check()


@pytest.mark.parametrize(
    "url", ["http://[", "things.example", "localhost:5000", "ftp://x", "http://"]
)
def test_an_app_url_that_is_none_is_told(tmp_path: Path, url: str) -> None:
    with pytest.raises(LaunchError, match="APP_URL has to be a URL with http:// or https://"):
        settings_of(tmp_path, APP_URL=url).check()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_password(tmp_path: Path, host: str) -> None:
    settings_of(tmp_path, HOST=host).check()


def test_copies_for_tests_have_no_setting_of_the_developer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [(ROOT / name).read_text("utf-8") for name in WHERE_SETTINGS_ARE_READ]
    names = {name for text in sources for name in re.findall(r'"([A-Z]+(?:_[A-Z]+)+|HOST)"', text)}
    assert names >= {"PASSAGE_SIZE", "QUERY_MODEL", "WHISPER_MODEL", "MODELS_DIR", "HOST"}
    for name in names:
        monkeypatch.setenv(name, "theirs")
    environment = clean_environment(tmp_path, {})
    assert [name for name in names if environment[name] == "theirs"] == ["XDG_CACHE_HOME"]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"SECRET_KEY=\xff\n")
    with pytest.raises(LaunchError, match=r"\.env is damaged: it is not UTF-8 text"):
        read_settings(tmp_path, {})


@pytest.mark.parametrize(
    ("environment", "can"),
    [
        ({}, True),
        ({"APP_PASSWORD": "a long password"}, False),
        ({"QUERY_EMBEDDINGS": "replicate"}, False),
        ({"MODELS_DIR": "models"}, False),
        ({"MONGODB_CONNECTION_URI": "mongodb://elsewhere"}, False),
    ],
)
def test_the_launcher_searches_where_that_asks_nobody_else(
    tmp_path: Path, environment: dict[str, str], can: bool
) -> None:
    assert settings_of(tmp_path, **environment).can_search is can
