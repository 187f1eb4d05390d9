"""py3langid's model. It is loaded with this module, which only the processes of the sandbox import:
it takes a second and 100 MB. So are the names of languages.
"""

from __future__ import annotations

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from allthethings.assets.languages import code_of

# The probability below which a language is a mere guess.
SURE = 0.5
# What the model calls text that is in no language, and a language that it is not sure of.
NONE = frozenset({"zxx", "und"})

_identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True, min_confidence=SURE)


def classify(text: str) -> str | None:
    """The code (ISO 639) of the text's language, if that is sure."""
    code, _probability = _identifier.classify(text)
    return None if code in NONE else code_of(str(code))


code_of("en")
