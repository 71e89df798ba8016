"""A model that never returns: its task fails, the process ends, and the next one works on with the same data."""

from __future__ import annotations

from pathlib import Path

from tests.wires import pictures
from tests.wires.conftest import Serve
from tests.wires.hanging import hanging
from tests.wires.pictures import order

SERVICE = """
import sys, threading
from pathlib import Path
from cleanplate.runtime import service
from inpaint_service.app import make_app
from inpaint_service.settings import InpaintSettings
from tests.wires.conftest import GatedInpainter

class Hanging(GatedInpainter):
    def inpaint(self, rgb, mask, params=None):
        threading.Event().wait()

settings = InpaintSettings(
    host="127.0.0.1", port=int(sys.argv[1]), data=Path(sys.argv[2]), model="lama", task_timeout_s=1, slots=1
)
service.serve(make_app(settings, Hanging()), settings)
"""


def test_a_call_that_hangs_fails_its_task_and_ends_the_process(serve: Serve, root: Path, tmp_path: Path) -> None:
    with hanging(SERVICE, root, tmp_path) as client:
        image = pictures.text(pictures.encoded(pictures.noise()))
        client.post("/api/v1/inpaint-regions-async", json=order(image=image, task_id="hung")).raise_for_status()
    after = serve(data=tmp_path)
    failed = after.get("/api/v1/task-status/hung").json()
    assert (failed["status"], failed["error_message"]) == ("error", "not done within 1 s")
    done = after.post("/api/v1/inpaint-regions-async", order(task_id="next")).json()
    assert after.ended(done["task_id"])["status"] == "completed"
