"""A service that cannot load what it needs: it ends, and its exit status says that it failed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cleanplate.runtime.endings import FAILED
from tests.wires.serving import PATIENCE_S

INPAINT = """
from inpaint_service.app import make_app
from inpaint_service.settings import InpaintSettings as Settings
from cleanplate.runtime import service
settings = Settings(host="127.0.0.1", port=0, data=sys.argv[1], model="lama", strict_model=True, model_dir=sys.argv[1])
service.serve(make_app(settings), settings)
"""
OCR = """
from ocr_service.app import make_app
from ocr_service.settings import OcrSettings as Settings
from cleanplate.runtime import service

def broken(name, **_):
    raise ValueError("no engine today")

settings = Settings(host="127.0.0.1", port=0, data=sys.argv[1])
service.serve(make_app(settings, broken), settings)
"""


@pytest.mark.parametrize("program", [INPAINT, OCR], ids=["inpaint-service", "ocr-service"])
def test_a_service_that_cannot_load_what_it_needs_ends_as_one_that_failed(
    root: Path, tmp_path: Path, program: str
) -> None:
    told = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
    command = [sys.executable, "-c", f"import sys{program}", str(tmp_path)]
    done = subprocess.run(command, cwd=root, env=told, timeout=PATIENCE_S, capture_output=True, text=True, check=False)
    assert (done.returncode, "cannot be used" in done.stderr) == (FAILED, True), done.stderr
