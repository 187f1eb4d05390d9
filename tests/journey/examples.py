"""The recordings and pages that come with the project."""

from __future__ import annotations

import json

from tools.harness.cloud import ROOT

EXAMPLES = ROOT / "examples"
# The examples as the home page offers them.
LISTED: list[dict[str, str]] = json.loads((EXAMPLES / "examples.json").read_text("utf-8"))
