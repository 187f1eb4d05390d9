"""The MongoDB client of the app."""

from __future__ import annotations

from allthethings.mongo import TIMEOUTS, Database


def test_a_timeout_of_the_connection_string_counts() -> None:
    database = Database("mongodb://127.0.0.1:9/?SERVERSELECTIONTIMEOUTMS=70", "iaat")
    options = database.client.options
    database.close()
    assert options.server_selection_timeout == 0.07
    assert options.pool_options.connect_timeout == TIMEOUTS["connectTimeoutMS"] / 1000
    assert options.pool_options.socket_timeout == TIMEOUTS["socketTimeoutMS"] / 1000
