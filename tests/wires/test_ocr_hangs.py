"""An engine that never returns: its request is answered, and the process ends for its supervisor to start it anew."""

from __future__ import annotations

from pathlib import Path

from tests.wires import dark, pictures
from tests.wires.hanging import hanging

SERVICE = """
import sys, threading
from pathlib import Path
from cleanplate.runtime import service
from ocr_service.app import make_app
from ocr_service.settings import OcrSettings
from tests.wires.dark import DarkReader

class Hanging(DarkReader):
    def read(self, rgb, options):
        threading.Event().wait()

settings = OcrSettings(
    host="127.0.0.1", port=int(sys.argv[1]), data=Path(sys.argv[2]), lanes=1, request_timeout_s=1, page_timeout_s=1
)
service.serve(make_app(settings, lambda name, **more: Hanging()), settings)
"""


def test_a_call_that_hangs_is_answered_and_ends_the_process(root: Path, tmp_path: Path) -> None:
    with hanging(SERVICE, root, tmp_path) as client:
        answer = client.post("/v1/detect", json={"image": pictures.text(dark.SIGN)})
        assert (answer.status_code, answer.json()["code"]) == (504, "timed_out")
