"""What the driver's errors mean."""

from __future__ import annotations

import pytest
from pymongo.errors import OperationFailure, ServerSelectionTimeoutError

from allthethings.errors import ErrorCode, ServiceUnavailable
from allthethings.store.documents import available


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ServerSelectionTimeoutError("nobody there"), ErrorCode.DATABASE_UNAVAILABLE),
        (OperationFailure("not primary", 10107), ErrorCode.DATABASE_UNAVAILABLE),
        (OperationFailure("available disk space is too low", 14031), ErrorCode.DATABASE_FULL),
        (
            OperationFailure("you are over your space quota, using 514 MB of 512 MB", 8000),
            ErrorCode.DATABASE_FULL,
        ),
        (OperationFailure("WT_PANIC: WiredTiger library panic", 1), ErrorCode.DATABASE_FULL),
    ],
)
def test_a_driver_error_has_a_code(error: Exception, code: ErrorCode) -> None:
    with pytest.raises(ServiceUnavailable, match="MongoDB is not available") as caught, available():
        raise error
    assert caught.value.code is code
    assert caught.value.retryable is (code is not ErrorCode.DATABASE_FULL)
