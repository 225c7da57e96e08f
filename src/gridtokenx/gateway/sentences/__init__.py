"""What a code means to people: for each name one text in English and one in Thai, in the files beside this one.

Each text says what happened and what to do. Texts are not part of the protocol: programs go by codes and names. Codes
with the same name (`METER_UNKNOWN` of identity and of settlement) share their texts.
"""

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Final, Literal

Language = Literal["en", "th"]

LANGUAGES: Final[tuple[Language, ...]] = ("en", "th")
"""The first is what everybody gets who asks for none of them."""

PREFERENCES_CHARACTERS_MAX: Final = 200
"""So much of `Accept-Language` is read: no browser sends more."""


def _read(language: Language) -> Mapping[str, str]:
    texts: dict[str, str] = tomllib.loads(files(__name__).joinpath(f"{language}.toml").read_text(encoding="utf-8"))
    return texts


SENTENCES: Final[Mapping[Language, Mapping[str, str]]] = {language: _read(language) for language in LANGUAGES}


def sentence(name: str, language: Language) -> str:
    """What the code of this name means. KeyError for a name that is none; a test keeps the files complete."""
    return SENTENCES[language][name]


@lru_cache(1_024)
def _preferred(accept_language: str) -> Language:
    best, best_quality = LANGUAGES[0], 0.0
    for item in accept_language.lower().split(","):
        tag, _, parameters = item.strip().partition(";")
        language = tag.strip().partition("-")[0]
        quality = _quality(parameters)
        for known in LANGUAGES:
            if quality > best_quality and language == known:
                best, best_quality = known, quality
    return best


def _quality(parameters: str) -> float:
    """The weight behind `q=`; 1 without, 0 for what is none."""
    name, _, value = parameters.strip().partition("=")
    if not name:
        return 1.0
    try:
        return float(value) if name.strip() == "q" else 0.0
    except ValueError:
        return 0.0


def language_for(accept_language: str) -> Language:
    """The language of `LANGUAGES` that a request's `Accept-Language` (RFC 9110, 12.5.4) prefers; of equal ones the
    first that it names. Never fails."""
    return _preferred(accept_language[:PREFERENCES_CHARACTERS_MAX])
