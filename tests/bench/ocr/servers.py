"""The servers that are compared, each a process of its own: the ocr-service, and PaddleX's basic serving."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import requests

from ocr_service.engines import weights

READY_S = 180.0
POLL_S = 0.2


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    url: str
    process: psutil.Process

    def cpu_s(self) -> float:
        """Return the processor time that it has taken."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def ocr_service(folder: Path, **settings: Any) -> Iterator[Server]:
    """Run the ocr-service with settings."""
    port = _free_port()
    told = {"OCR_PORT": port, "OCR_DATA": folder / "ocr", "LOG_LEVEL": "ERROR", **settings}
    environment = {name: str(value) for name, value in told.items()}
    with _server([sys.executable, "-m", "ocr_service"], environment, port, "/readyz") as server:
        yield server


@contextmanager
def paddlex_serving(python: Path, folder: Path) -> Iterator[Server]:
    """Run PaddleX's basic serving as it is by itself, but for the weights and no orientation."""
    port = _free_port()
    config = folder / "ocr.yaml"
    config.write_text(json.dumps(_pipeline()), encoding="utf-8")
    command = [str(python), "-m", "paddlex", "--serve", "--pipeline", str(config), "--engine", "onnxruntime"]
    offline = {"PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True", "PADDLE_PDX_CACHE_HOME": str(folder / "paddlex")}
    with _server([*command, "--host", "127.0.0.1", "--port", str(port)], offline, port, "/health") as server:
        yield server


def _pipeline() -> dict[str, Any]:
    """Return paddlex's configuration of its OCR pipeline with the service's weights."""
    detection, recognition = weights.paddle_folders()
    detector = {"module_name": "text_detection", "model_name": f"{weights.MODEL}_det", "model_dir": str(detection)}
    limits = {"limit_side_len": 960, "limit_type": "max", "thresh": 0.3, "box_thresh": 0.6, "unclip_ratio": 1.5}
    reader = {"module_name": "text_recognition", "model_name": f"{weights.MODEL}_rec", "model_dir": str(recognition)}
    return {
        "pipeline_name": "OCR",
        "text_type": "general",
        "use_doc_preprocessor": False,
        "use_textline_orientation": False,
        "SubModules": {
            "TextDetection": {**detector, **limits},
            "TextRecognition": {**reader, "batch_size": 6, "score_thresh": 0.0},
        },
    }


@contextmanager
def _server(command: Sequence[str], more: Mapping[str, str], port: int, path: str) -> Iterator[Server]:
    silent = subprocess.DEVNULL
    with subprocess.Popen(command, env={**os.environ, **more}, stdout=silent, stderr=silent) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            _await_ready(process, url + path)
            yield Server(url, psutil.Process(process.pid))
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _await_ready(process: subprocess.Popen[bytes], url: str) -> None:
    until = time.monotonic() + READY_S
    while process.poll() is None and time.monotonic() < until:
        try:
            if requests.get(url, timeout=5).status_code == 200:
                return
        except requests.RequestException:
            pass
        time.sleep(POLL_S)
    raise SystemExit(f"{' '.join(map(str, process.args))} does not answer at {url}")  # type: ignore[arg-type]
