"""The table of predictions. Every change names the status from which it starts."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from localcloud.replicate.identifiers import timestamp

TERMINAL = frozenset({"succeeded", "failed", "canceled"})


@dataclass(frozen=True)
class Prediction:
    """One prediction. Times are ISO 8601 text.

    `events` are those for which the webhook is sent. An `urgent` prediction goes before others.
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
    events: list[str] = field(default_factory=list)
    urgent: bool = False
    fetches: bool = False
    deaths: int = 0
    data_removed: bool = False
    seq: int = 0

    @property
    def finished(self) -> bool:
        return self.status in TERMINAL


@dataclass(frozen=True)
class Result:
    """How a prediction ended: `status` is succeeded, failed or canceled."""

    status: str
    output: Any = None
    error: str | None = None
    logs: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)


class PredictionStore:
    """The predictions. All calls must come from one thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def add(self, new: Prediction) -> None:
        self._db.execute(
            "INSERT INTO predictions (id, model, version, status, input, created_at,"
            " webhook, events, urgent, fetches) VALUES (?,?,?,?,?,?,?,?,?,?)",
            (
                *(new.id, new.model, new.version, new.status, json.dumps(new.input)),
                *(new.created_at, new.webhook, json.dumps(new.events), new.urgent, new.fetches),
            ),
        )

    def get(self, prediction_id: str) -> Prediction | None:
        rows = self._db.execute("SELECT * FROM predictions WHERE id = ?", (prediction_id,))
        row = rows.fetchone()
        return _prediction(row) if row else None

    def queued(self, version: str, limit: int) -> list[tuple[str, bool]]:
        """The predictions that wait for a model: urgent ones first, then the oldest.

        Each id comes with whether the prediction has files to fetch.
        """
        rows = self._db.execute(
            "SELECT id, fetches FROM predictions WHERE version = ? AND status = 'starting'"
            " ORDER BY urgent DESC, seq LIMIT ?",
            (version, limit),
        )
        return [(row["id"], bool(row["fetches"])) for row in rows]

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

    def remove_data(self, completed_before: datetime) -> int:
        """Delete the inputs, outputs and logs of predictions that ended before that time.

        Returns the number of predictions.
        """
        return self._db.execute(
            "UPDATE predictions SET input = '{}', output = 'null', logs = '', data_removed = 1"
            " WHERE data_removed = 0 AND completed_at < ?",
            (timestamp(completed_before),),
        ).rowcount

    def page(
        self,
        limit: int,
        *,
        before: int | None = None,
        after: int | None = None,
        created_from: str | None = None,
        created_until: str | None = None,
    ) -> list[Prediction]:
        """Predictions with a `seq` below `before`, or next above `after`. The newest is first."""
        where, values = ["1"], list[Any]()
        for condition, value in (
            ("seq < ?", before),
            ("seq > ?", after),
            ("created_at >= ?", created_from),
            ("created_at < ?", created_until),
        ):
            if value is not None:
                where.append(condition)
                values.append(value)
        order = "DESC" if after is None else "ASC"
        rows = self._db.execute(
            f"SELECT * FROM predictions WHERE {' AND '.join(where)}"  # noqa: S608 - own words
            f" ORDER BY seq {order} LIMIT ?",
            (*values, limit),
        )
        found = [_prediction(row) for row in rows]
        return found if after is None else found[::-1]

    def run_count(self, version: str) -> int:
        rows = self._db.execute("SELECT count(*) FROM predictions WHERE version = ?", (version,))
        return int(rows.fetchone()[0])

    def _change(self, statement: str, values: tuple[Any, ...]) -> bool:
        return self._db.execute(statement, values).rowcount == 1


def _prediction(row: sqlite3.Row) -> Prediction:
    fields = {key: row[key] for key in Prediction.__dataclass_fields__}
    for key in ("input", "output", "metrics", "events"):
        fields[key] = json.loads(fields[key])
    for key in ("urgent", "fetches", "data_removed"):
        fields[key] = bool(fields[key])
    return Prediction(**fields)
