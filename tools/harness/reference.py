"""Data of others to compare with: not in the repository, and left out where it is not there."""

from __future__ import annotations

import os
from pathlib import Path

from tools.harness.cloud import ROOT

# The folder: data/xquad.en.json (XQuAD), data/speech (clips of LibriVox and their
# transcription.txt), data/mpnet-reference.json (vectors of sentence-transformers), and
# specs/hookdeck-2025-07-01.json and specs/replicate.json (the vendors' OpenAPI documents).
REFERENCE = Path(os.environ.get("REFERENCE_DATA") or ROOT.parent / "shared")
# Why a test is skipped without it.
MISSING = "the reference data is not here (REFERENCE_DATA)"
