"""The settings of the launcher, from the environment or `.env`, and their consequences."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

HOOKDECK_PROJECT_API_KEY = "HOOKDECK_PROJECT_API_KEY"
HOOKDECK_WEBHOOK_SECRET = "HOOKDECK_WEBHOOK_SECRET"  # noqa: S105 - a name, not a value
MONGODB_CONNECTION_URI = "MONGODB_CONNECTION_URI"
REPLICATE_API_TOKEN = "REPLICATE_API_TOKEN"  # noqa: S105 - a name, not a value
REPLICATE_WEBHOOKS_SECRET = "REPLICATE_WEBHOOKS_SECRET"  # noqa: S105 - a name, not a value
# The file that names every setting of the app.
ENV_EXAMPLE = Path(__file__).parents[1] / ".env-example"


class LaunchError(Exception):
    """The start cannot continue. The message is for the person at the terminal."""


@dataclass(frozen=True)
class Settings:
    """The operator's settings. `operator` has every name with a value."""

    host: str
    port: int
    data_dir: Path
    operator: Mapping[str, str] = field(repr=False)

    @property
    def local_mongodb(self) -> bool:
        return MONGODB_CONNECTION_URI not in self.operator

    @property
    def local_replicate(self) -> bool:
        return REPLICATE_API_TOKEN not in self.operator

    @property
    def local_hookdeck(self) -> bool:
        return HOOKDECK_PROJECT_API_KEY not in self.operator

    @property
    def examples_url(self) -> str:
        """The URL at which the models find the app's examples; empty if it serves none.

        For the real Replicate that is the app's public address.
        """
        if not _is_yes(self.operator.get("EXAMPLES", "yes" if self.local_replicate else "no")):
            return ""
        return self.address if self.local_replicate else self.operator.get("APP_URL", "")

    @property
    def query_embeddings(self) -> str:
        """`local` if the model that embeds passages runs here too, else `replicate`."""
        at_hand = self.local_replicate and self.models_dir is None
        return self.operator.get("QUERY_EMBEDDINGS", "local" if at_hand else "replicate")

    @property
    def can_search(self) -> bool:
        """Whether a search needs no password, and asks no service but those of this machine."""
        open_here = "APP_PASSWORD" not in self.operator
        return open_here and self.local_mongodb and self.query_embeddings == "local"

    @property
    def search_pace(self) -> list[str]:
        """The options of the local Atlas for how fast its indexes follow, without the defaults."""
        options = {
            "SEARCH_WAIT": "--search-wait",
            "SEARCH_LAG": "--search-lag",
            "INDEX_BUILD_SECONDS": "--index-build",
        }
        given = {option: self.operator.get(name) for name, option in options.items()}
        return [word for option, value in given.items() if value for word in (option, value)]

    @property
    def needs_weights(self) -> bool:
        return self.local_replicate or self.query_embeddings == "local"

    @property
    def models_dir(self) -> Path | None:
        """The operator's folder of Cog models, which replace those of localcloud."""
        folder = self.operator.get("MODELS_DIR")
        return Path(folder).expanduser().resolve() if folder else None

    @property
    def address(self) -> str:
        """The app's URL as seen from this machine."""
        return f"http://{in_url(_reachable(self.host))}:{self.port}"

    @property
    def fetch_allow(self) -> str:
        """FETCH_ALLOW for the app and the models: the operator's, and the server of examples."""
        allowed = self.operator.get("FETCH_ALLOW", "").split(",")
        if self.examples_url == self.address:
            hosts = ("127.0.0.1", "localhost", _reachable(self.host))
            allowed += [f"{in_url(host)}:{self.port}" for host in dict.fromkeys(hosts)]
        return ",".join(entry.strip() for entry in allowed if entry.strip())

    def check(self) -> None:
        """Raises LaunchError for settings that cannot work.

        These are an app open to strangers, and some mixtures of real services and stand-ins.
        """
        self._check_open()
        if not self.local_replicate and self.local_hookdeck:
            raise LaunchError(
                f"{REPLICATE_API_TOKEN} is set but {HOOKDECK_PROJECT_API_KEY} is not. The real "
                "Replicate cannot call back to this machine; it needs the real Hookdeck.\n"
                f"Set {HOOKDECK_PROJECT_API_KEY} too, or neither."
            )
        if not self.local_hookdeck:
            self._check_real_hookdeck()

    def _check_open(self) -> None:
        password = self.operator.get("APP_PASSWORD", "").strip()
        told = _is_yes(self.operator.get("ALLOW_OPEN", ""))
        app_url = self.operator.get("APP_URL", "")
        reached, known = "", _host_of(app_url) if app_url else ""
        if not _is_loopback(self.host):
            reached = f"HOST={self.host}"
        elif known and not _is_loopback(known):  # for example by a tunnel or a proxy
            reached = f"APP_URL={app_url}"
        if reached and not (password or told):
            raise LaunchError(
                f"{reached} lets other machines reach the app, and no password protects "
                "it.\nSet APP_PASSWORD, or ALLOW_OPEN=1 if whoever reaches it may use it."
            )

    def _check_real_hookdeck(self) -> None:
        problems = []
        if HOOKDECK_WEBHOOK_SECRET not in self.operator:
            problems.append(
                f"{HOOKDECK_WEBHOOK_SECRET} is missing: the signing secret that Hookdeck shows in "
                "the settings of the project."
            )
        if self.local_replicate and REPLICATE_WEBHOOKS_SECRET not in self.operator:
            problems.append(
                f"{REPLICATE_WEBHOOKS_SECRET} is missing: whsec_ and 32 random bytes in base64. "
                "The local Replicate signs with it and Hookdeck verifies with it."
            )
        missing = [name for name in webhook_urls(ENV_EXAMPLE) if name not in self.operator]
        if missing:
            problems.append(
                f"{' and '.join(missing)} missing: run .venv/bin/python "
                "create-hookdeck-connections.py, which writes them into .env."
            )
        if problems:
            reason = f"{HOOKDECK_PROJECT_API_KEY} is set, so the real Hookdeck is used."
            raise LaunchError("\n".join([reason, *problems]))


def webhook_urls(env_example: Path) -> list[str]:
    """The settings for the URLs of the connections, one for each webhook of the app."""
    return [name for name in dotenv_values(env_example) if name.endswith("_WEBHOOK_URL")]


def read_settings(root: Path, environment: Mapping[str, str]) -> Settings:
    """The settings of the project in `root`, where the environment overrides the `.env` file.

    An empty value counts as not set, also if it overrides a value of the file.
    """
    try:
        both = {**dotenv_values(root / ".env"), **environment}
    except UnicodeDecodeError as error:
        raise LaunchError(f"{root / '.env'} is damaged: it is not UTF-8 text.") from error
    operator = {name: value for name, value in both.items() if value}
    return Settings(
        host=operator.get("HOST", "127.0.0.1"),
        port=_port(operator.get("PORT", "5000")),
        data_dir=(root / Path(operator.get("DATA_DIR", "var")).expanduser()).resolve(),
        operator=operator,
    )


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise LaunchError(f"PORT must be a number from 1 to 65535, not {text!r}.")
    return int(text)


def _host_of(app_url: str) -> str:
    try:
        parts = urlsplit(app_url)
        host = parts.hostname if parts.scheme in ("http", "https") else None
    except ValueError:  # an address in brackets that is none
        host = None
    if not host:
        raise LaunchError(
            "APP_URL has to be a URL with http:// or https://, such as https://example.org."
        )
    return host


def _is_yes(text: str) -> bool:
    return text.strip().lower() in {"1", "true", "yes", "on"}


def _reachable(host: str) -> str:
    """An address at which this machine reaches a server bound to `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound here


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.lower().endswith(".localhost")


def in_url(host: str) -> str:
    """The host as it is written in a URL, with an IPv6 address in brackets."""
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host
