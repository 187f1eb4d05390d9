"""The timeline of an asset: what the app noted, when the models ran, what the gateway delivered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from allthethings.assets.asset import Asset, AssetStatus
from allthethings.hookdeck.deliveries import subject
from allthethings.hookdeck.records import Attempt, Event, Request, Watched, cause_of
from allthethings.pipeline.attempts import MAX_ATTEMPTS
from allthethings.web.formatting import counted

S = AssetStatus
APP, MODEL, GATEWAY = "app", "model", "gateway"
# Replicate's spelling of a status, and ours.
SPELT = {"canceled": "cancelled"}
WAITING = {
    "SCHEDULED": "Delivery scheduled",
    "QUEUED": "Delivery queued",
    "HOLD": "Delivery on hold: the connection is paused",
    "CANCELLED": "Delivery cancelled",
}


@dataclass(frozen=True)
class Hop:
    """One step of the timeline.

    `seconds` is how long the step took, `after` the seconds since the step before it,
    `since_start` those since the asset was submitted. `next_at` is when the app, or the gateway,
    tries again.
    """

    at: datetime
    by: str
    what: str
    details: tuple[str, ...] = ()
    seconds: float | None = None
    event: str | None = None
    failed: bool = False
    next_at: datetime | None = None
    since_start: float = 0.0
    after: float | None = None


def build(asset: Asset, rows: Sequence[Mapping[str, Any]], watched: Watched) -> list[Hop]:
    """The steps of an asset with these passages, in the order of their times.

    The clocks of the app, the models and the gateway need not agree: a hop may seem to come
    before what caused it.
    """
    hops = [*_of_the_app(asset, rows), *_of_the_models(asset), *_callbacks(asset)]
    hops += _of_the_gateway(asset, watched)
    hops.sort(key=lambda hop: hop.at)
    began = asset.history[0]["at"] if asset.history else asset.created_at
    return [
        replace(
            hop,
            since_start=(hop.at - began).total_seconds(),
            after=(hop.at - before.at).total_seconds() if before else None,
        )
        for before, hop in zip([None, *hops], hops, strict=False)
    ]


def _of_the_app(asset: Asset, rows: Sequence[Mapping[str, Any]]) -> Iterator[Hop]:
    requested, embedded = False, len({row.get("replicate_embedding_id") for row in rows} - {None})
    for entry in asset.history:
        status, at, failed, last = entry["status"], entry["at"], False, entry is asset.history[-1]
        details: tuple[str, ...] = ()
        if entry.get("attempt") and entry.get("again"):
            yield _failed_attempt(entry, last=last)
            requested = requested and status != S.SUBMITTED
            continue
        if status == S.SUBMITTED:
            what, requested = "Retried" if entry.get("again") else "Submitted", False
        elif status == S.PROCESSING:
            what, requested, details = "Text requested", True, _of_request(entry)
        elif status == S.PROCESSED and entry.get("again"):
            what = "Vectors retried"
        elif status == S.PROCESSED:
            what = "Text received" if requested else "Fetched and read"
            if entry.get("taken_over"):
                what = "Text taken from the tutorial's collection"
            details = (counted(entry.get("passages") or len(rows), "passage") + " cut",)
        elif status == S.GENERATING_EMBEDDINGS:
            # Passages that have replaced others tell nothing of the first ones.
            what, details = "Vectors requested", (counted(embedded, "prediction"),) * bool(embedded)
        elif status == S.SEARCHABLE:
            what = "All passages embedded: searchable"
        else:
            what, failed = "Text failed" if status == S.PROCESSING_ERROR else "Vectors failed", True
            if entry.get("cancelled"):
                details = ("cancelled by you",)
            elif reason := entry.get("error") or (asset.error if last else None):
                details = (reason,)
        yield Hop(at, APP, what, details, failed=failed)


def _failed_attempt(entry: Mapping[str, Any], *, last: bool) -> Hop:
    """An attempt that another one follows by itself; `last` says that this one is to come."""
    return Hop(
        entry["at"],
        APP,
        f"Attempt {entry['attempt'] - 1} of {MAX_ATTEMPTS} failed",
        (entry["error"],),
        failed=True,
        next_at=entry["next_at"] if last else None,
    )


def _of_the_models(asset: Asset) -> Iterator[Hop]:
    """The steps of each prediction, as its last callback tells them."""
    predictions = {
        delivery["prediction"]: delivery
        for delivery in asset.deliveries
        if "prediction" in delivery
    }
    for delivery in predictions.values():
        about, details = subject(delivery.get("passages")), _of_prediction(delivery)
        created, started, ended = (
            delivery.get(name) for name in ("created_at", "started_at", "completed_at")
        )
        if created:
            yield Hop(created, MODEL, f"Prediction created: {about}", details)
        if started:
            yield Hop(started, MODEL, f"Model started: {about}", details)
        if ended:
            took = (ended - started).total_seconds() if started else None
            status = delivery.get("status") or "succeeded"
            failed = status != "succeeded"
            details = (*details, SPELT.get(status, status)) if failed else details
            yield Hop(
                ended, MODEL, f"Model finished: {about}", details, _positive(took), failed=failed
            )


def _callbacks(asset: Asset) -> Iterator[Hop]:
    for delivery in asset.deliveries:
        details = [
            *_attempt(delivery.get("attempt"), cause_of(delivery.get("trigger"))),
            "signature valid",
            *(["sender verified by the gateway"] if delivery.get("verified") else []),
        ]
        what = f"Callback received: {subject(delivery.get('passages'))}"
        took = delivery.get("seconds")
        yield Hop(delivery["at"], APP, what, tuple(details), took, delivery["event"])


def _of_the_gateway(asset: Asset, watched: Watched) -> Iterator[Hop]:
    received = {(delivery["event"], delivery.get("attempt")) for delivery in asset.deliveries}
    tries: dict[str, list[Attempt]] = {}
    for attempt in sorted(watched.attempts, key=lambda attempt: attempt.at):
        tries.setdefault(attempt.event_id, []).append(attempt)
    for event in watched.events:
        yield Hop(event.created_at, GATEWAY, "Callback accepted and queued", (), event=event.id)
        yield from _tries(event, tries.get(event.id, []), received)
        if event.status in WAITING:
            at = event.last_at or event.created_at
            yield Hop(at, GATEWAY, WAITING[event.status], (), event=event.id, next_at=event.next_at)
    for request in watched.rejected:
        yield _refusal(request)


def _tries(
    event: Event, attempts: Sequence[Attempt], received: set[tuple[str, int | None]]
) -> Iterator[Hop]:
    """The attempts that failed, and those that succeeded without the app noting it."""
    if not attempts and event.successful_at and not any(event.id == known for known, _ in received):
        yield Hop(event.successful_at, GATEWAY, "Delivered", (event.answer,), event=event.id)
    for attempt in attempts:
        details = _attempt(attempt.number, attempt.cause)
        if attempt.successful:
            if (event.id, attempt.number) not in received:
                yield Hop(
                    attempt.at,
                    GATEWAY,
                    "Delivered",
                    (*details, attempt.answer),
                    attempt.seconds,
                    event.id,
                )
            continue
        last = attempt is attempts[-1]
        final = last and event.status == "FAILED" and event.next_at is None
        yield Hop(
            attempt.at,
            GATEWAY,
            "Delivery failed",
            (*details, attempt.answer, *(["no more automatic attempts"] if final else [])),
            attempt.seconds,
            event.id,
            failed=True,
            next_at=event.next_at if last and event.status == "FAILED" else None,
        )


def _refusal(request: Request) -> Hop:
    why = request.refusal or "no reason given"
    if request.verified is False and request.rejection != "VERIFICATION_FAILED":
        why += ", not verified"
    return Hop(request.at, GATEWAY, "Callback rejected", (why,), failed=True)


def _attempt(number: int | None, cause: str) -> list[str]:
    said = [f"attempt {number}"] if number is not None else []
    return [*said, cause] if cause else said


def _of_request(entry: Mapping[str, Any]) -> tuple[str, ...]:
    if scanned := entry.get("scanned"):
        return (counted(scanned, "scanned page"),)
    return _of_prediction(entry)


def _of_prediction(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return (f"prediction {entry['prediction']}",) if entry.get("prediction") else ()


def _positive(seconds: float | None) -> float | None:
    return None if seconds is None else max(0.0, seconds)
