"""How each kind of thing becomes text: a module for each kind, and the registry of them.

`processor` has what they share, `registry` the list PROCESSORS, `recognition` tells which kind a
thing is, `sandbox` runs parsers in processes of their own.
"""

from allthethings.processors.language import language_of
from allthethings.processors.processor import Content, Processor, Requested, Tools
from allthethings.processors.recognition import recognise
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
    "language_of",
    "preload",
    "processor_class",
    "recognise",
    "sniff",
    "webhooks",
]
