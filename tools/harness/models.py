"""The modules of the Cog models, which are no packages."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from tools.harness.cloud import ROOT

MODELS = ROOT / "localcloud" / "models"


def module_of(model: str, name: str) -> Any:
    """A module of the model's folder, which imports others of that folder, as Cog has it."""
    folder = str(MODELS / model)
    sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(folder)
