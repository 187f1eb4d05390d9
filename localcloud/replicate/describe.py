"""Prints the OpenAPI document of a Cog predictor: what `cog build` puts into an image.

Cog's runtime reads `.cog/openapi_schema.json` to check inputs and to tell list outputs from single
ones. Only Cog's command line, which is written in Go, creates that file. This program, run in the
model's folder as `python -m localcloud.replicate.describe predict.py:Predictor`, imports the
predictor and prints the schemas of its input and output, after pkg/schema/openapi_spec.go of Cog
0.23, and how many predictions it runs at once. The routes of Cog's server are left out, since they
are the same for all models.
"""

from __future__ import annotations

import collections.abc
import contextlib
import dataclasses
import importlib.util
import inspect
import json
import sys
import types
import typing
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

import cog
from cog.input import FieldInfo

from localcloud.replicate.schemas import CONCURRENCY

Json = dict[str, Any]

_PRIMITIVES: dict[Any, Json] = {
    bool: {"type": "boolean"},
    float: {"type": "number"},
    int: {"type": "integer"},
    str: {"type": "string"},
    cog.Path: {"type": "string", "format": "uri"},
    cog.File: {"type": "string", "format": "uri"},
    cog.Secret: {
        "type": "string",
        "format": "password",
        "writeOnly": True,
        "x-cog-secret": True,
    },
}
_ITERATORS = (collections.abc.Iterator, collections.abc.AsyncIterator)
_CONCATENATING = (cog.ConcatenateIterator, cog.AsyncConcatenateIterator)
_CONSTRAINTS = {
    "description": "description",
    "ge": "minimum",
    "le": "maximum",
    "min_length": "minLength",
    "max_length": "maxLength",
    "regex": "pattern",
    "accept": "x-cog-accept",
}


def document(predict: Callable[..., Any]) -> Json:
    """The OpenAPI document of a predict or run method."""
    hints = typing.get_type_hints(predict)
    parameters = list(inspect.signature(predict).parameters.values())
    if parameters and parameters[0].name == "self":
        parameters = parameters[1:]
    properties: Json = {}
    choices: Json = {}
    required = []
    for order, parameter in enumerate(parameters):
        field = _field(parameter)
        properties[parameter.name] = _property(parameter.name, hints[parameter.name], field, order)
        if field.choices:
            choices[parameter.name] = _choices(parameter.name, hints[parameter.name], field)
        if field.default is None and not _nullable(hints[parameter.name]):
            required.append(parameter.name)
    inputs: Json = {"title": "Input", "type": "object", "properties": properties}
    if required:
        inputs["required"] = required
    output = type_schema(hints.get("return", Any)) | {"title": "Output"}
    return {
        "openapi": "3.0.2",
        "info": {"title": "Cog", "version": cog.__version__},
        "paths": {},
        "components": {"schemas": {"Input": inputs, "Output": output, **choices}},
        CONCURRENCY: getattr(predict, "__cog_concurrent_max__", 1),
    }


def type_schema(hint: Any) -> Json:
    """The JSON schema of a Python type, as OpenAPI 3.0 has it."""
    if hint in _PRIMITIVES:
        return dict(_PRIMITIVES[hint])
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _union_schema(arguments)
    if origin in _ITERATORS:
        return _array(arguments) | {"x-cog-array-type": "iterator"}
    if origin in _CONCATENATING or hint in _CONCATENATING:
        extra = {"x-cog-array-type": "iterator", "x-cog-array-display": "concatenate"}
        return _array(arguments or (str,)) | extra
    if hint is list or origin is list:
        return _array(arguments)
    if origin is dict and len(arguments) == 2 and arguments[1] is not Any:
        return {"type": "object", "additionalProperties": type_schema(arguments[1])}
    if inspect.isclass(hint) and dataclasses.is_dataclass(hint):  # as cog.BaseModel is
        return _record(hint)
    return {"type": "object"}


def load(reference: str) -> Callable[..., Any]:
    """The method that `predict.py:Predictor` names, relative to the working directory."""
    file, _, name = reference.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    target = getattr(module, name)
    if not inspect.isclass(target):
        return typing.cast("Callable[..., Any]", target)
    own = [n for n in ("run", "predict") if getattr(target, n) is not getattr(cog.BaseRunner, n)]
    return typing.cast("Callable[..., Any]", getattr(target, own[0]))


def _field(parameter: inspect.Parameter) -> FieldInfo:
    if isinstance(parameter.default, FieldInfo):
        return parameter.default
    default = None if parameter.default is inspect.Parameter.empty else parameter.default
    return FieldInfo(default=default)


def _property(name: str, hint: Any, field: FieldInfo, order: int) -> Json:
    result: Json = {"x-order": order}
    if field.choices:
        result["allOf"] = [{"$ref": f"#/components/schemas/{name}"}]
    else:
        result |= {"title": name.replace("_", " ").title()} | type_schema(hint)
    if _nullable(hint):
        result["nullable"] = True
    if field.default is not None:
        result["default"] = _plain(field.default)
    for attribute, keyword in _CONSTRAINTS.items():
        if (value := getattr(field, attribute, None)) is not None:
            result[keyword] = value
    if field.deprecated:
        result["deprecated"] = True
    return result


def _choices(name: str, hint: Any, field: FieldInfo) -> Json:
    kind = type_schema(hint).get("type", "string")
    values = [_plain(choice) for choice in field.choices or []]
    return {"title": name, "description": "An enumeration.", "enum": values, "type": kind}


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Path) else value


def _nullable(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType) and (
        type(None) in typing.get_args(hint)
    )


def _union_schema(arguments: tuple[Any, ...]) -> Json:
    variants = [type_schema(argument) for argument in arguments if argument is not type(None)]
    nullable = {"nullable": True} if type(None) in arguments else {}
    return (variants[0] if len(variants) == 1 else {"anyOf": variants}) | nullable


def _array(arguments: tuple[Any, ...]) -> Json:
    return {"type": "array", "items": type_schema(arguments[0] if arguments else Any)}


def _record(hint: type) -> Json:
    hints = typing.get_type_hints(hint)
    properties = {
        name: type_schema(kind) | {"title": name.replace("_", " ").title()}
        for name, kind in hints.items()
        if not name.startswith("_")
    }
    required = [name for name in properties if not _nullable(hints[name])]
    return {"type": "object", "properties": properties, "required": required}


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):  # what the predictor prints on import
        described = document(load(sys.argv[1]))
    json.dump(described, sys.stdout)
