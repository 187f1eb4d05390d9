"""The programs of one copy: their command lines and their environments."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from localcloud import atlas, leftovers
from localcloud.launch_settings import (
    HOOKDECK_PROJECT_API_KEY,
    HOOKDECK_WEBHOOK_SECRET,
    MONGODB_CONNECTION_URI,
    REPLICATE_API_TOKEN,
    REPLICATE_WEBHOOKS_SECRET,
    Settings,
)
from localcloud.processes import Program

# A stand-in sees only its own credentials; the app and the setup scripts see all of them.
CREDENTIALS = {
    "SECRET_KEY",
    "APP_PASSWORD",
    "API_TOKENS",
    MONGODB_CONNECTION_URI,
    REPLICATE_API_TOKEN,
    REPLICATE_WEBHOOKS_SECRET,
    HOOKDECK_PROJECT_API_KEY,
    HOOKDECK_WEBHOOK_SECRET,
}


def _without_proxy(operator: Mapping[str, str]) -> str:
    theirs = operator.get("no_proxy") or operator.get("NO_PROXY") or ""
    return ",".join(filter(None, [theirs, "127.0.0.1", "localhost"]))


@dataclass(frozen=True)
class Parts:
    """Builds the programs from the settings, the ports and the endpoints of this copy.

    `weights` are the settings that name the folders of the models' weights.
    """

    root: Path
    chosen: Settings
    ports: Mapping[str, int]
    endpoints: Mapping[str, str]
    weights: Mapping[str, str] = field(default_factory=dict)

    def secantus(self) -> Program:
        argv = atlas.secantus_argv(self.ports["secantus"], self.chosen.data_dir / "secantus")
        return self._program("secantus", argv)

    def mongodb(self) -> Program:
        upstream = ["--upstream-port", str(self.ports["secantus"])]
        return self._stand_in("mongodb", "localcloud.atlas", [*upstream, *self.chosen.search_pace])

    def hookdeck(self) -> Program:
        names = (HOOKDECK_PROJECT_API_KEY, HOOKDECK_WEBHOOK_SECRET)
        return self._stand_in("hookdeck", "localcloud.hookdeck", credentials=names)

    def replicate(self) -> Program:
        names = (REPLICATE_API_TOKEN, REPLICATE_WEBHOOKS_SECRET)
        models = self.chosen.models_dir
        options = ["--models-dir", str(models)] if models else []
        return self._stand_in("replicate", "localcloud.replicate", options, credentials=names)

    def app(self) -> Program:
        place = ["--host", self.chosen.host, "--port", str(self.chosen.port)]
        argv = [sys.executable, "-m", "serve", *place]
        return self._program("app", argv, self._everything() | self._known())

    def worker(self) -> Program:
        flask = [sys.executable, "-m", "flask", "--app", "app", "worker"]
        return self._program("worker", flask, self._everything() | self._known())

    def script(self, name: str, env_file: Path) -> Program:
        """A setup script of the project, which gets the stand-ins' endpoints."""
        argv = [sys.executable, f"{name}.py", "--env-file", str(env_file)]
        return self._program(name, argv, self._everything())

    def log(self, name: str) -> Path:
        return self.chosen.data_dir / "logs" / f"{name}.log"

    def _stand_in(
        self,
        name: str,
        module: str,
        options: Sequence[str] = (),
        credentials: Sequence[str] = (),
    ) -> Program:
        place = ["--port", str(self.ports[name]), "--data-dir", str(self.chosen.data_dir / name)]
        own = {credential: self.endpoints[credential] for credential in credentials}
        return self._program(name, [sys.executable, "-m", module, *place, *options], own)

    def _everything(self) -> dict[str, str]:
        return {
            **{name: value for name, value in self.chosen.operator.items() if name in CREDENTIALS},
            **self.endpoints,
            "HOST": self.chosen.host,
            "PORT": str(self.chosen.port),
            "QUERY_EMBEDDINGS": self.chosen.query_embeddings,
            "EXAMPLES_URL": self.chosen.examples_url,
            "FLASK_SKIP_DOTENV": "1",  # the launcher has read .env
        }

    def _known(self) -> dict[str, str]:
        """The app's public URL, which may differ from its address for the stand-ins."""
        return {"APP_URL": self.chosen.operator.get("APP_URL", "")}

    def _program(
        self, name: str, argv: Sequence[str], more: Mapping[str, str] | None = None
    ) -> Program:
        operator = self.chosen.operator
        environment = {key: operator[key] for key in operator if key not in CREDENTIALS}
        environment |= {
            # Cog starts `python`, which has to be this environment's.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), operator.get("PATH", "")]),
            "PYTHONUNBUFFERED": "1",
            # The programs reach each other without the operator's proxy.
            **dict.fromkeys(("NO_PROXY", "no_proxy"), _without_proxy(operator)),
            "DATA_DIR": str(self.chosen.data_dir),
            "FETCH_ALLOW": self.chosen.fetch_allow,
            leftovers.MARK: str(self.chosen.data_dir),
        }
        environment |= self.weights
        return Program(name, argv, self.log(name), {**environment, **(more or {})}, self.root)
