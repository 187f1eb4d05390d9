"""The table of predictions. Every change names the status from which it starts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from localcloud.replicate.identifiers import timestamp

TERMINAL = frozenset({"succeeded", "failed", "canceled", "aborted"})


@dataclass(frozen=True)
class Prediction:
    """One prediction. Times are ISO 8601 text.

    An `urgent` prediction goes before others.
    `fetches` says whether its input has files to fetch, `deaths` how often its model died.
    """

    id: str
    model: str
    version: str
    input: dict[str, Any]
    created_at: str
    status: str = "starting"
    output: Any = None
    error: str | None = None
    logs: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)
    started_at: str | None = None
    completed_at: str | None = None
    webhook: str | None = None
    urgent: bool = False
    fetches: bool = False
    deaths: int = 0
    data_removed: bool = False
    deadline: str | None = None
    seq: int = 0

    @property
    def finished(self) -> bool:
        return self.status in TERMINAL


@dataclass(frozen=True)
class Result:
    """How a prediction ended: `status` is succeeded, failed, canceled or aborted."""

    status: str
    output: Any = None
    error: str | None = None
    logs: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)


class Following(NamedTuple):
    """A prediction that can run next."""

    id: str
    urgent: bool
    deaths: int


class PredictionStore:
    """The predictions. All calls must come from one thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def add(self, new: Prediction) -> None:
        self._db.execute(
            "INSERT INTO predictions (id, model, version, status, input, created_at,"
            " webhook, urgent, fetches, deadline) VALUES (?,?,?,?,?,?,?,?,?,?)",
            (
                *(new.id, new.model, new.version, new.status, json.dumps(new.input)),
                *(new.created_at, new.webhook, new.urgent, new.fetches, new.deadline),
            ),
        )

    def get(self, prediction_id: str) -> Prediction | None:
        rows = self._db.execute("SELECT * FROM predictions WHERE id = ?", (prediction_id,))
        row = rows.fetchone()
        return _prediction(row) if row else None

    def following(self, version: str, fetched: Collection[str]) -> Following | None:
        """The prediction that a model runs next: an urgent one, then the oldest.

        One with files to fetch has to be among `fetched`.
        """
        marks = ",".join("?" * len(fetched))
        ready = f"(NOT fetches OR id IN ({marks}))"
        rows = self._db.execute(
            f"SELECT id, urgent, deaths FROM predictions WHERE version = ? AND {ready}"  # noqa: S608 - question marks
            " AND status = 'starting' ORDER BY urgent DESC, seq LIMIT 1",
            (version, *fetched),
        )
        row = rows.fetchone()
        return Following(row["id"], bool(row["urgent"]), row["deaths"]) if row else None

    def to_fetch(self, version: str) -> list[Prediction]:
        """The predictions that wait for a model and have files to fetch, in their order."""
        rows = self._db.execute(
            "SELECT * FROM predictions WHERE version = ? AND status = 'starting' AND fetches"
            " ORDER BY urgent DESC, seq",
            (version,),
        )
        return [_prediction(row) for row in rows]

    def start(self, prediction_id: str) -> bool:
        """Change a prediction from starting to processing. False if it is not starting."""
        return self._change(
            "UPDATE predictions SET status = 'processing', started_at = ?"
            " WHERE id = ? AND status = 'starting'",
            (timestamp(), prediction_id),
        )

    def progress(self, prediction_id: str, logs: str, output: Any) -> bool:
        """Store the logs and the output of a running prediction so far."""
        return self._change(
            "UPDATE predictions SET logs = ?, output = ? WHERE id = ? AND status = 'processing'",
            (logs, json.dumps(output), prediction_id),
        )

    def finish(self, prediction_id: str, result: Result) -> bool:
        """End a prediction. False if it has already ended."""
        return self._change(
            "UPDATE predictions SET status = ?, output = ?, error = ?,"
            " logs = CASE WHEN ? = '' THEN logs ELSE ? END, metrics = ?, completed_at = ?"
            " WHERE id = ? AND status IN ('starting', 'processing')",
            (
                *(result.status, json.dumps(result.output), result.error, result.logs),
                *(result.logs, json.dumps(result.metrics), timestamp(), prediction_id),
            ),
        )

    def requeue(self, prediction_id: str, deaths: int = 1) -> bool:
        """Change a prediction back to starting, after `deaths` more deaths of its model."""
        return self._change(
            "UPDATE predictions SET status = 'starting', started_at = NULL, output = 'null',"
            " logs = '', deaths = deaths + ? WHERE id = ? AND status = 'processing'",
            (deaths, prediction_id),
        )

    def requeue_all(self) -> int:
        """Change all running predictions back to starting. Returns their number."""
        return self._db.execute(
            "UPDATE predictions SET status = 'starting', started_at = NULL, output = 'null',"
            " logs = '' WHERE status = 'processing'"
        ).rowcount

    def stranded(self, versions: list[str]) -> list[str]:
        """The ids of unfinished predictions of versions other than these."""
        marks = ",".join("?" * len(versions))
        rows = self._db.execute(
            f"SELECT id FROM predictions WHERE completed_at IS NULL AND version NOT IN ({marks})",  # noqa: S608 - question marks
            versions,
        )
        return [row["id"] for row in rows]

    def overdue(self, now: datetime) -> list[Prediction]:
        """The unfinished predictions whose deadline has passed."""
        rows = self._db.execute(
            "SELECT * FROM predictions WHERE completed_at IS NULL AND deadline < ?",
            (timestamp(now),),
        )
        return [_prediction(row) for row in rows]

    def remove_data(self, completed_before: datetime) -> int:
        """Delete the inputs, outputs and logs of predictions that ended before that time.

        Returns the number of predictions.
        """
        return self._db.execute(
            "UPDATE predictions SET input = '{}', output = 'null', logs = '', data_removed = 1"
            " WHERE data_removed = 0 AND completed_at < ?",
            (timestamp(completed_before),),
        ).rowcount

    def page(self, limit: int, before: int) -> list[Prediction]:
        """Predictions with a `seq` below `before`. The newest is first."""
        rows = self._db.execute(
            "SELECT * FROM predictions WHERE seq < ? ORDER BY seq DESC LIMIT ?", (before, limit)
        )
        return [_prediction(row) for row in rows]

    def run_count(self, version: str) -> int:
        rows = self._db.execute("SELECT count(*) FROM predictions WHERE version = ?", (version,))
        return int(rows.fetchone()[0])

    def _change(self, statement: str, values: tuple[Any, ...]) -> bool:
        return self._db.execute(statement, values).rowcount == 1


def _prediction(row: sqlite3.Row) -> Prediction:
    fields = {key: row[key] for key in Prediction.__dataclass_fields__}
    for key in ("input", "output", "metrics"):
        fields[key] = json.loads(fields[key])
    for key in ("urgent", "fetches", "data_removed"):
        fields[key] = bool(fields[key])
    return Prediction(**fields)
