"""How each kind of thing becomes text: a module for each kind, and the registry of them.

`processor` has what they share, `registry` the list PROCESSORS, `sandbox` runs parsers in
processes of their own.
"""

from allthethings.processors.processor import Content, Processor, Requested, Tools
from allthethings.processors.registry import (
    PROCESSORS,
    about,
    get_asset_processor,
    kind_of,
    kinds,
    preload,
    processor_class,
    sniff,
    webhooks,
)

__all__ = [
    "PROCESSORS",
    "Content",
    "Processor",
    "Requested",
    "Tools",
    "about",
    "get_asset_processor",
    "kind_of",
    "kinds",
    "preload",
    "processor_class",
    "sniff",
    "webhooks",
]
