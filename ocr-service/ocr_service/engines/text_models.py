"""The two networks that find and read text: which are meant, where they are, and which is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import yaml

from cleanplate.contract.problems import EngineUnusable, Invalid
from ocr_service.engines import weights
from ocr_service.engines.model_folders import META, ONNX, Runtime, holds
from ocr_service.engines.recognizers import RECOGNIZERS, readers, reads_all

Tier = Literal["PP-OCRv6_tiny", "PP-OCRv6_small", "PP-OCRv6_medium", "PP-OCRv5_mobile", "PP-OCRv5_server"]
EMBEDDED = {f"{weights.MODEL}_det": weights.DETECTION, f"{weights.MODEL}_rec": weights.RECOGNITION}
FIELD = "languages"


def default_folder() -> Path:
    """Return where models are looked for unless a setting says otherwise."""
    return weights.default_cache() / "models"


@dataclass(frozen=True)
class TextModels:
    """Which networks find and read text.

    Attributes:
        folder: has a folder for each model that is not embedded; see `model_folders`.
        tier: names the two, less `_det` and `_rec`.
        recognizer: reads in place of the tier's own; empty: that.
    """

    folder: Path = field(default_factory=default_folder)
    tier: Tier = weights.MODEL
    recognizer: str = ""

    @property
    def detection(self) -> str:
        return f"{self.tier}_det"

    @property
    def recognition(self) -> str:
        return self.recognizer or f"{self.tier}_rec"

    @property
    def model(self) -> str:
        """What results say of it."""
        return self.recognizer or self.tier

    def has(self, name: str, runtime: Runtime = "onnxruntime") -> bool:
        """Say whether a model can be loaded."""
        return (name in EMBEDDED and runtime == "onnxruntime") or holds(self.folder / name, runtime)

    def missing(self, runtime: Runtime = "onnxruntime") -> str:
        """Return in words what is missing; empty if nothing."""
        lacking = [name for name in (self.detection, self.recognition) if not self.has(name, runtime)]
        kind = " for paddlepaddle" if runtime == "paddle_static" else ""
        return f"{self.folder} has no model{kind}: {_fetch(*lacking)}" if lacking else ""

    def recognizers(self, runtime: Runtime = "onnxruntime") -> list[str]:
        """Return the recognizers that can be loaded, first the one that reads when nothing is said of languages."""
        names = dict.fromkeys((self.recognition, *EMBEDDED, *RECOGNIZERS))
        return [name for name in names if name in RECOGNIZERS and self.has(name, runtime)]

    def reading(self, languages: Sequence[str], runtime: Runtime = "onnxruntime") -> TextModels:
        """Return these with a recognizer that reads all the languages, the own one if it does.

        Raises:
            Invalid: there is no such recognizer, or none here.
        """
        here = next((name for name in self.recognizers(runtime) if reads_all(name, languages)), None)
        if here is None:
            raise _unread(languages)
        return self if here == self.recognition else replace(self, recognizer=here)

    def folders(self, cache: Path | None, runtime: Runtime = "onnxruntime") -> tuple[Path, Path]:
        """Return the folders (detection, recognition) as PaddleOCR wants them, made for what is embedded."""
        embedded = dict(zip(EMBEDDED, weights.paddle_folders(cache), strict=True)) if runtime == "onnxruntime" else {}
        detection, recognition = (embedded.get(n, self.folder / n) for n in (self.detection, self.recognition))
        return detection, recognition

    def network(self, name: str) -> Path:
        """Return a model's ONNX file. Raises EngineUnusable."""
        return weights.embedded(EMBEDDED[name]) if name in EMBEDDED else self.folder / name / ONNX

    def characters(self) -> list[str]:
        """Return the recognizer's characters in the order of its classes, without the blank and the space.

        Raises:
            EngineUnusable: its files do not say.
        """
        name = self.recognition
        if name in EMBEDDED:
            return weights.characters(self.network(name))
        path = self.folder / name / META
        try:
            told: Any = yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
            return [str(character) for character in told["PostProcess"]["character_dict"]]
        except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
            raise EngineUnusable(f"{path} has no list of characters") from error


def _unread(languages: Sequence[str]) -> Invalid:
    """Say why languages cannot be read here."""
    if nobody := [code for code in languages if not readers(code)]:
        return Invalid(f"no model reads {', '.join(nobody)}", field=FIELD)
    able = next((name for name in RECOGNIZERS if reads_all(name, languages)), None)
    if able is None:
        each = "; ".join(f"{code}: {', '.join(readers(code))}" for code in dict.fromkeys(languages))
        return Invalid(f"no single model reads all of these. {each}", field=FIELD)
    return Invalid(f"{', '.join(languages)}: the model for it is not here: {_fetch(able)}", field=FIELD, model=able)


def _fetch(*names: str) -> str:
    return f"`cleanplate models fetch {' '.join(names)}` gets {' and '.join(names)}"
