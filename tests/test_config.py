"""What the settings refuse, what they hide, and that each of them is documented."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values

from allthethings.hookdeck.connections import EMBEDDINGS, connection_of
from allthethings.processors import webhooks
from config import HookdeckSettings, MongoSettings, Settings, SettingsError

ROOT = Path(__file__).resolve().parents[1]
GROUPS = (MongoSettings, HookdeckSettings, Settings)
WEBHOOK_URLS = [EMBEDDINGS.variable, *(connection_of(name).variable for name in webhooks())]
SECRET = "hunter2-is-long-enough"
REQUIRED = {
    "SECRET_KEY": SECRET,
    "MONGODB_CONNECTION_URI": f"mongodb://me:{SECRET}@db.test/",
    "REPLICATE_API_TOKEN": f"r8_{SECRET}",
    "HOOKDECK_WEBHOOK_SECRET": SECRET,
    **dict.fromkeys(WEBHOOK_URLS, "https://gateway.test/e/"),
}


A_URL = "has to be a URL with http:// or https://, such as https://example.org."
A_TOKEN = (
    "has to be tokens with commas between them, each of 20 or more letters, digits and characters "
    "of -._~+/."
)
URLS = ("APP_URL", "EXAMPLES_URL", "HOOKDECK_API_URL", "REPLICATE_BASE_URL", "AUDIO_WEBHOOK_URL")
NO_URLS = (
    "things.example",
    "localhost:5000",
    "ftp://things.example",
    "http://",
    "http://[",
    "https:things.example",
    "https:///things.example",
    "http://things example",
    "http://things.example:99999",
    "https://things.example/?x=1",
)


@pytest.fixture
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with all that is required, and an environment without settings."""
    for name in {*dotenv_values(ROOT / ".env-example"), *REQUIRED}:
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / ".env"
    path.write_text("".join(f"{name}={value}\n" for name, value in REQUIRED.items()))
    return path


def with_line(env_file: Path, line: str) -> Path:
    env_file.write_text(f"{env_file.read_text()}{line}\n")
    return env_file


def test_the_environment_wins_over_the_file(
    env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_line(env_file, "PASSAGE_SIZE=100\nAPP_URL=https://things.test/\nHOST=0.0.0.0")
    monkeypatch.setenv("PASSAGE_SIZE", " 150 ")
    monkeypatch.setenv("HOST", "")
    settings = Settings.from_env(env_file)
    assert (settings.passage_size, settings.app_url) == (150, "https://things.test")
    assert settings.host == "127.0.0.1"


@pytest.mark.parametrize(
    "url", ["https://things.example/app", "http://[::1]:5000", "http://app_1:5000", "http://ü.test"]
)
def test_a_url_stays_as_it_was_written(env_file: Path, url: str) -> None:
    assert Settings.from_env(with_line(env_file, f"APP_URL={url}/")).app_url == url


def test_only_the_exact_names_are_read(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("name", "mongo", "host", "Host", "query_weights"):
        monkeypatch.setenv(name, "elsewhere")
    settings = Settings.from_env(env_file)
    assert (settings.mongo.name, settings.host) == ("iaat", "127.0.0.1")
    assert settings.query_weights is None


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_setting_is_named(
    env_file: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "")
    with pytest.raises(
        SettingsError, match=rf"^{name} is not set: .*in {re.escape(str(env_file))}"
    ):
        Settings.from_env(env_file)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("RECONCILE_AFTER", "never", "has to be a number greater than 0."),
        ("RECONCILE_AFTER", "-1", "has to be a number greater than 0."),
        ("PREDICTION_DEADLINE", "inf", "has to be a number greater than 0."),
        ("PREDICTION_DEADLINE", "nan", "has to be a number greater than 0."),
        ("PASSAGE_SIZE", "0", "has to be a whole number greater than 0."),
        ("PASSAGE_SIZE", "1.5", "has to be a whole number greater than 0."),
        ("PASSAGE_OVERLAP", "-1", "has to be a whole number, 0 or greater."),
        ("TRUSTED_PROXIES", "one", "has to be a whole number, 0 or greater."),
        ("PROCESSES", "0", "has to be a whole number greater than 0."),
        ("ALLOW_OPEN", "perhaps", "has to be 1 or 0."),
        ("PASSAGE_TITLE", "2", "has to be 1 or 0."),
        *((name, url, A_URL) for name in URLS for url in NO_URLS),
        ("REPLICATE_API_TOKEN", f"{SECRET} {SECRET}", "has characters in it that no such key has."),
        *(
            ("API_TOKENS", tokens, A_TOKEN)
            for tokens in ("short", f"{SECRET},short", f"{SECRET} {SECRET}", f"{SECRET}:é")
        ),
    ],
)
def test_a_value_that_cannot_be_used_is_named_and_not_quoted(
    env_file: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, rule: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(env_file)
    assert str(caught.value) == f"{name} {rule}"
    assert SECRET not in repr(caught.value)


def test_flags_are_read_as_people_write_them(env_file: Path) -> None:
    for written in ("1", "true", "Yes", "on"):
        assert Settings.from_env(with_line(env_file, f"ALLOW_OPEN={written}")).allow_open
    for written in ("0", "false", "No", "off", ""):
        assert not Settings.from_env(with_line(env_file, f"ALLOW_OPEN={written}")).allow_open


def test_settings_hide_their_secrets_and_stay_as_they_are(env_file: Path) -> None:
    settings: Any = Settings.from_env(env_file)
    assert SECRET not in repr(settings) + str(settings)
    with pytest.raises(ValueError, match="frozen") as caught:
        settings.secret_key = "another"
    assert SECRET not in str(caught.value)


def test_tokens_stand_with_commas_between_them(env_file: Path) -> None:
    with_line(env_file, f"API_TOKENS= {SECRET}, another-{SECRET}=, \nAPP_PASSWORD={SECRET}")
    settings = Settings.from_env(env_file)
    settings.check()
    assert settings.api_tokens == (SECRET, f"another-{SECRET}=")
    assert SECRET not in repr(settings)


def test_tokens_need_a_password(env_file: Path) -> None:
    settings = Settings.from_env(with_line(env_file, f"API_TOKENS={SECRET}"))
    with pytest.raises(SettingsError, match="without APP_PASSWORD nothing asks for a token"):
        settings.check()


def test_the_connections_need_a_way_to_the_signing_key(env_file: Path) -> None:
    env_file.write_text("HOOKDECK_PROJECT_API_KEY=key\n")
    with pytest.raises(SettingsError, match="REPLICATE_WEBHOOKS_SECRET is not set"):
        HookdeckSettings.from_env(env_file)
    settings = HookdeckSettings.from_env(with_line(env_file, "REPLICATE_API_TOKEN=r8_x"))
    assert (settings.api_key, settings.replicate_webhooks_secret) == ("key", "")


def documented() -> dict[str, str]:
    """The defaults in the tables of docs/running.md, by the names of the settings."""
    rows = re.findall(
        r"^\| (`[A-Z_`, ]+`) \| (.*?) \|", (ROOT / "docs" / "running.md").read_text("utf-8"), re.M
    )
    return {name: default for names, default in rows for name in re.findall("[A-Z_]+", names)}


def test_every_setting_is_explained() -> None:
    read = {name for group in GROUPS for name in group.variables()} | set(WEBHOOK_URLS)
    assert read - set(documented()) == set()
    # The folder of the query model is for tests of the app without localcloud's own.
    assert read - set(dotenv_values(ROOT / ".env-example")) == {"QUERY_MODEL"}


def test_the_table_has_the_defaults_of_the_settings() -> None:
    """As far as they are numbers and flags; `make run` derives others."""
    written = documented()
    for variable, name in Settings.variables().items():
        default = Settings.model_fields[name].default
        if isinstance(default, bool):
            assert written[variable] == ("yes" if default else "no"), variable
        elif isinstance(default, int | float):
            assert float(written[variable]) == default, variable


def test_a_damaged_file_is_named(env_file: Path) -> None:
    env_file.write_bytes(b"SECRET_KEY=\xff\n")
    with pytest.raises(SettingsError, match=r"\.env is damaged: it is not UTF-8 text"):
        Settings.from_env(env_file)


@pytest.mark.parametrize("version", ["salesforce/blip", "2e1dddc8", "g" * 64])
def test_a_captioning_model_is_a_version(env_file: Path, version: str) -> None:
    with pytest.raises(SettingsError, match="CAPTION_VERSION has to be the version"):
        Settings.from_env(with_line(env_file, f"CAPTION_VERSION={version}"))
    assert Settings.from_env(with_line(env_file, f"CAPTION_VERSION={'a1' * 32}")).caption_version


@pytest.mark.parametrize("lacking", ["tokenizer.json", "openvino_model.xml"])
def test_a_folder_without_a_cross_encoder_is_refused(
    env_file: Path, tmp_path: Path, lacking: str
) -> None:
    for name in ("tokenizer.json", "openvino_model.xml"):
        (tmp_path / name).touch()
    settings = Settings.from_env(with_line(env_file, f"RERANKER={tmp_path}"))
    settings.check()
    (tmp_path / lacking).unlink()
    with pytest.raises(SettingsError, match=r"RERANKER has to be .* tokenizer\.json and one of"):
        settings.check()
