"""py3langid's model. It is loaded with this module, which only the processes of the sandbox import:
it takes a second and 100 MB."""

from __future__ import annotations

from py3langid.langid import MODEL_FILE, LanguageIdentifier

# The probability below which a language is a mere guess.
SURE = 0.5
# What the model calls text that is in no language, and a language that it is not sure of.
NONE = frozenset({"zxx", "und"})

_identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True, min_confidence=SURE)


def classify(text: str) -> str | None:
    """The code of the text's language, if that is sure."""
    code, _probability = _identifier.classify(text)
    return None if code in NONE else str(code)
