"""For gunicorn, by GUNICORN_CMD_ARGS="--config tests/faults/gunicorn_conf.py": a worker that
dies where it is told to."""

from __future__ import annotations

from tests.faults import failpoints


def post_fork(server: object, worker: object) -> None:  # noqa: ARG001 - gunicorn's signature
    failpoints.install()
