"""The app's own steps, on a database of each test's own beside the copy's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta

import pytest

from allthethings.mongo import Database
from allthethings.pipeline.attempts import INTERVALS
from allthethings.pipeline.pipeline import Pipeline
from allthethings.pipeline.reconciler import Reconciler
from allthethings.replicate.client import ReplicateClient
from tests.faults.apart import NOWHERE, Watched, pipeline_of
from tests.faults.steps.attempting import Make
from tools.harness.cloud import Cloud

AT_ONCE: Sequence[timedelta] = (timedelta(0),) * len(INTERVALS)


@pytest.fixture
def database(apart: Database) -> Database:
    return apart


@pytest.fixture
def replicate(cloud: Cloud) -> Iterator[Watched]:
    with closing(Watched(cloud)) as replicate:
        yield replicate


@pytest.fixture
def pipeline(database: Database, replicate: Watched) -> Pipeline:
    return pipeline_of(database, replicate, NOWHERE)


@pytest.fixture
def make(database: Database, replicate: Watched) -> Make:
    """The steps and a reconciler that lets no time pass between two attempts."""

    def make(
        intervals: Sequence[timedelta] = AT_ONCE,
        patience: timedelta = timedelta(0),
        client: ReplicateClient = replicate,
    ) -> tuple[Pipeline, Reconciler]:
        pipeline = pipeline_of(database, client, NOWHERE, "127.0.0.1", intervals, patience)
        hour = timedelta(hours=1)
        return pipeline, Reconciler(database, client, pipeline, patience, hour)

    return make
