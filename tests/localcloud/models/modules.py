"""Import a module out of a model's folder, which is no package."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

from tests.localcloud.models.cogserver import MODELS


def load(model: str, name: str) -> Any:
    """The module `name` of the model; one that imports no other module of the folder."""
    spec = importlib.util.spec_from_file_location(name, MODELS / model / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
