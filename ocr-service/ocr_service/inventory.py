"""Every OCR model and its files as JSON, for who cannot import this package: `python -m ocr_service.inventory`.

The settings in the environment decide where files belong, and for which runtime they are. Nothing is loaded and nothing
is fetched.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ocr_service.engines import EngineOptions, catalog
from ocr_service.engines.model_folders import Runtime, runtime
from ocr_service.engines.text_models import EMBEDDED
from ocr_service.settings import OcrSettings


def inventory(options: EngineOptions) -> list[dict[str, Any]]:
    """Return what is known of every model."""
    folder, wanted = options.text.folder, options.paddle_runtime
    text = [_model(name, folder, wanted, there=options.text.has(name, wanted)) for name in catalog.TEXT]
    place = options.structure.models or folder
    return text + [
        _model(name, place, "onnxruntime", there=runtime(place / name) is not None) for name in catalog.STRUCTURE
    ]


def _model(name: str, folder: Path, wanted: Runtime, *, there: bool) -> dict[str, Any]:
    told = {"name": name, "usable": there, "reason": "" if there else "not fetched", "license": catalog.LICENSE}
    if name in EMBEDDED and wanted == "onnxruntime":
        return {**told, "page": "", "where": "", "files": []}
    files = [
        {
            "name": f"{name}/{file.file}",
            "url": file.url,
            "md5": "",
            "sha256": file.sha256,
            "size_bytes": file.size_bytes,
            "path": str(folder / name / file.file),
        }
        for file in catalog.published(name, wanted)
    ]
    return {**told, "page": catalog.page(name, wanted), "where": str(folder / name), "files": files}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(inventory(OcrSettings().engine_options())) + "\n")
