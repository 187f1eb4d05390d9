"""Cog's entry point: the inputs and the output of openai/whisper on Replicate.

The choices of inputs are literals in this file, because Cog reads them from its source text.
"""

import os
import time
from dataclasses import replace
from functools import cached_property
from typing import Any

from audio import Recording
from cog import BaseModel, BaseRunner, Input, Path
from subtitles import plain, srt, vtt
from tqdm import tqdm
from transcriber import Segment, Task, Transcriber

FORMATS = {"plain text": plain, "srt": srt, "vtt": vtt}

# fmt: off
LANGUAGES = {
    "af": "Afrikaans", "am": "Amharic", "ar": "Arabic", "as": "Assamese", "az": "Azerbaijani",
    "ba": "Bashkir", "be": "Belarusian", "bg": "Bulgarian", "bn": "Bengali", "bo": "Tibetan",
    "br": "Breton", "bs": "Bosnian", "ca": "Catalan", "cs": "Czech", "cy": "Welsh", "da": "Danish",
    "de": "German", "el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian",
    "eu": "Basque", "fa": "Persian", "fi": "Finnish", "fo": "Faroese", "fr": "French",
    "gl": "Galician", "gu": "Gujarati", "ha": "Hausa", "haw": "Hawaiian", "he": "Hebrew",
    "hi": "Hindi", "hr": "Croatian", "ht": "Haitian Creole", "hu": "Hungarian", "hy": "Armenian",
    "id": "Indonesian", "is": "Icelandic", "it": "Italian", "ja": "Japanese", "jw": "Javanese",
    "ka": "Georgian", "kk": "Kazakh", "km": "Khmer", "kn": "Kannada", "ko": "Korean", "la": "Latin",
    "lb": "Luxembourgish", "ln": "Lingala", "lo": "Lao", "lt": "Lithuanian", "lv": "Latvian",
    "mg": "Malagasy", "mi": "Maori", "mk": "Macedonian", "ml": "Malayalam", "mn": "Mongolian",
    "mr": "Marathi", "ms": "Malay", "mt": "Maltese", "my": "Myanmar", "ne": "Nepali", "nl": "Dutch",
    "nn": "Nynorsk", "no": "Norwegian", "oc": "Occitan", "pa": "Punjabi", "pl": "Polish",
    "ps": "Pashto", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sa": "Sanskrit",
    "sd": "Sindhi", "si": "Sinhala", "sk": "Slovak", "sl": "Slovenian", "sn": "Shona",
    "so": "Somali", "sq": "Albanian", "sr": "Serbian", "su": "Sundanese", "sv": "Swedish",
    "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "tg": "Tajik", "th": "Thai", "tk": "Turkmen",
    "tl": "Tagalog", "tr": "Turkish", "tt": "Tatar", "uk": "Ukrainian", "ur": "Urdu", "uz": "Uzbek",
    "vi": "Vietnamese", "yi": "Yiddish", "yo": "Yoruba", "yue": "Cantonese", "zh": "Chinese",
}
ALIASES = {
    "Burmese": "my", "Castilian": "es", "Flemish": "nl", "Haitian": "ht", "Letzeburgesch": "lb",
    "Mandarin": "zh", "Moldavian": "ro", "Moldovan": "ro", "Panjabi": "pa", "Pushto": "ps",
    "Sinhalese": "si", "Valencian": "ca",
}
# fmt: on


class Output(BaseModel):
    """The output. `segments` have openai-whisper's format, the language is a name ("english")."""

    detected_language: str
    transcription: str
    segments: Any
    translation: str | None = None
    txt_file: Path | None = None
    srt_file: Path | None = None


def language_code(choice: str) -> str | None:
    """The code of a language that is given by code or name; None for "auto"."""
    names = {name: code for code, name in LANGUAGES.items()} | ALIASES
    return None if choice == "auto" else names.get(choice, choice)


def temperatures(first: float, step: float) -> tuple[float, ...]:
    """The temperatures from the first up to 1.0 in steps. Without a step, only the first."""
    if step <= 0:
        return (first,)
    count = int((1.0 - first) / step + 1e-6) + 1
    return tuple(round(first + number * step, 6) for number in range(max(count, 1)))


def token_ids(text: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",") if number.strip()]
    except ValueError as error:
        raise ValueError(f"suppress_tokens is not a list of numbers: {text!r}") from error


class Progress:
    """Prints the transcribed seconds as " 37%|███▋      | 111/300 [00:10<00:17, 11.10s/s]".

    Replicate's clients look for that format in the log of a prediction.
    """

    def __init__(self, seconds: float) -> None:
        self._total = max(1, round(seconds))
        self._began = time.monotonic()
        self(0)

    def __call__(self, seconds: float) -> None:
        done = min(round(seconds), self._total)
        elapsed = time.monotonic() - self._began
        print(tqdm.format_meter(done, self._total, elapsed, unit="s"), flush=True)


class Predictor(BaseRunner):
    def setup(self) -> None:
        """Load nothing yet: a copy that gets no recording should not pay for the model."""

    @cached_property
    def transcriber(self) -> Transcriber:
        """The weights from the folder (or model name) in WHISPER_WEIGHTS, or from weights/."""
        return Transcriber(os.environ.get("WHISPER_WEIGHTS") or "weights")

    def run(
        self,
        audio: Path = Input(description="Audio file"),
        model: str = Input(
            default="large-v3",
            choices=["large-v3"],
            description="Accepted for compatibility; the weights decide which model runs",
        ),
        transcription: str = Input(
            default="plain text",
            choices=["plain text", "srt", "vtt"],
            description="The format of the transcription",
        ),
        translate: bool = Input(default=False, description="Also translate the text to English"),
        language: str = Input(
            default="auto",
            choices=["auto"]
            + list(LANGUAGES.keys())
            + list(LANGUAGES.values())
            + list(ALIASES.keys()),
            description="The language spoken, 'auto' to have it detected",
        ),
        temperature: float = Input(default=0, description="Sampling temperature to begin with"),
        patience: float | None = Input(default=None, description="Patience of the beam search"),
        suppress_tokens: str = Input(
            default="-1",
            description="Token ids never to write, with commas; -1 stands for most special marks",
        ),
        initial_prompt: str | None = Input(
            default=None, description="Text that the model is to believe came before"
        ),
        condition_on_previous_text: bool = Input(
            default=True, description="Whether a second hearing sees the text before it"
        ),
        temperature_increment_on_fallback: float = Input(
            default=0.2, description="How much warmer each further try is when decoding fails"
        ),
        compression_ratio_threshold: float = Input(
            default=2.4, description="Text that compresses better than this has failed"
        ),
        logprob_threshold: float = Input(
            default=-1.0, description="Text with a lower average log probability has failed"
        ),
        no_speech_threshold: float = Input(
            default=0.6, description="Failed text is silence where no speech is likelier than this"
        ),
    ) -> Output:
        """Transcribe one recording, and translate it if asked."""
        code = language_code(language)
        if code and not self.transcriber.knows(code):
            raise ValueError(f"This Whisper model does not know {LANGUAGES[code]}.")
        task = Task(
            language=code,
            temperatures=temperatures(temperature, temperature_increment_on_fallback),
            suppress_tokens=token_ids(suppress_tokens),
            patience=patience or 1.0,
            initial_prompt=initial_prompt,
            condition_on_previous_text=condition_on_previous_text,
            logprob_threshold=logprob_threshold,
            no_speech_threshold=no_speech_threshold,
            compression_ratio_threshold=compression_ratio_threshold,
        )
        recording = Recording(audio)
        spoken, segments = self._transcribe(recording, task)
        return Output(
            detected_language=LANGUAGES[spoken].lower(),
            transcription=FORMATS[transcription](segments),
            segments=segments,
            translation=self._translation(recording, replace(task, language=spoken))
            if translate
            else None,
        )

    def _translation(self, recording: Recording, task: Task) -> str:
        return plain(self._transcribe(recording, replace(task, task="translate"))[1])

    def _transcribe(self, recording: Recording, task: Task) -> tuple[str, list[Segment]]:
        progress = Progress(recording.seconds)
        return self.transcriber.transcribe(recording.pieces(), task, progress)
