"""The OCR engine as a process: one path of a saved (H, W, 3) array per line in, one detection as JSON per line out.

It runs in the ocr-service's environment; `reading` starts it.
"""

from __future__ import annotations

import os
import sys

import numpy as np

from ocr_service import engines
from ocr_service.detect import detect
from ocr_service.settings import OcrSettings


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not come between the answers
    settings = OcrSettings()
    engine = engines.load(settings.engine, threads=settings.threads)
    if isinstance(engine, engines.RemoteEngine):
        raise SystemExit(f"{settings.engine} reads elsewhere; this needs an engine of its own")
    engine.warm_up()
    for line in sys.stdin:
        print(detect(np.load(line.strip()), engine).model_dump_json(), file=answers, flush=True)


if __name__ == "__main__":
    main()
