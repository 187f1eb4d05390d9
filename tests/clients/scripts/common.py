"""What the Python scripts share."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any


def report(operations: Mapping[str, Callable[[], Any]]) -> None:
    """Run the operations one after another and print what each returned, or its error, as JSON."""
    results = {}
    for name, operation in operations.items():
        try:
            results[name] = operation()
        except Exception as error:  # noqa: BLE001 - the test shows it
            results[name] = f"{type(error).__name__}: {error}"
    print(json.dumps(results, default=str))
