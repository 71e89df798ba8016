"""Which recognition model reads which languages. Pure.

The names are PaddlePaddle's, the languages those that PaddleOCR 3.7 lists, in BCP 47's codes; left out are languages
that have letters which the model's dictionary has not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

_LATIN = (
    "af az bs ca cs cy da de en es et eu fi fil fr ga gl hr hu id is it ku la lb lt lv mi ms mt nb nl nn no oc pl pt qu"
    " rm ro sk sl sq sr-latn sv sw tl tr uz"
)
_CYRILLIC = (
    "abq ady av ba be bg bua ce cv dar en inh kaa kbd kk kv ky lbe lez mhr mk mn mo os ru sah sr tab tg tt tyv udm uk"
    " xal"
)
_CHINESE, _JAPANESE = "hans hant hani latn", "jpan hira kana hrkt"


@dataclass(frozen=True)
class Recognizer:
    """What a model reads: languages, some with a script that is not their first, and the scripts it knows."""

    languages: frozenset[str]
    scripts: frozenset[str]

    def reads(self, code: str) -> bool:
        """Say whether it reads a language by its code, whatever the region, variant or case of that is."""
        language, *subtags = code.lower().split("-")
        script = next((tag for tag in subtags if len(tag) == 4 and tag.isalpha()), "")
        if f"{language}-{script}" in self.languages:
            return True
        return language in self.languages and (not script or script in self.scripts)


def _of(languages: str, scripts: str, without: str = "") -> Recognizer:
    return Recognizer(frozenset(languages.split()) - set(without.split()), frozenset(scripts.split()))


_V6 = _of(f"{_LATIN} zh ja", f"{_CHINESE} {_JAPANESE}")
_V5 = _of("zh en ja", f"{_CHINESE} {_JAPANESE}")
RECOGNIZERS: Mapping[str, Recognizer] = MappingProxyType(
    {
        "PP-OCRv6_small_rec": _V6,
        "PP-OCRv6_medium_rec": _V6,
        "PP-OCRv6_tiny_rec": _of(f"{_LATIN} zh", _CHINESE, without="az ro"),
        "PP-OCRv5_server_rec": _V5,
        "PP-OCRv5_mobile_rec": _V5,
        "korean_PP-OCRv5_mobile_rec": _of("ko en", "kore hang"),
        "eslav_PP-OCRv5_mobile_rec": _of("ru be uk en", "cyrl"),
        "cyrillic_PP-OCRv5_mobile_rec": _of(_CYRILLIC, "cyrl"),
        "arabic_PP-OCRv5_mobile_rec": _of("ar fa ug ur ps ku-arab sd bal en", "arab"),
        "devanagari_PP-OCRv5_mobile_rec": _of("anp bgc bh bho en gom hi mag mai mr ne new sa sck", "deva"),
        "th_PP-OCRv5_mobile_rec": _of("th en", "thai"),
        "el_PP-OCRv5_mobile_rec": _of("el en", "grek"),
        "ta_PP-OCRv5_mobile_rec": _of("ta en", "taml"),
        "te_PP-OCRv5_mobile_rec": _of("te en", "telu"),
        "en_PP-OCRv5_mobile_rec": _of("en", "latn"),
        "latin_PP-OCRv5_mobile_rec": _of(_LATIN, "latn", without="az cy lv mi mt ro"),
    }
)
"""Of those that read a language the first that is here is taken, unless the service's own reads it."""


def readers(code: str) -> list[str]:
    """Return the names of the models that read a language."""
    return [name for name, model in RECOGNIZERS.items() if model.reads(code)]


def reads_all(name: str, codes: Iterable[str]) -> bool:
    """Say whether one model reads all these languages."""
    return all(RECOGNIZERS[name].reads(code) for code in codes)
