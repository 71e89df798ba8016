"""Models behind the service's wire: too little memory, idle ones, those that load, and the seed of a picture."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cleanplate.runtime.service import open_board
from inpaint_service.engines import Economy, Inpainter, OutOfMemory, Params, load
from inpaint_service.tasks import KIND
from tests.wires.conftest import Inpaint, Serve
from tests.wires.pictures import decoded, encoded, noise, order, text
from tests.wires.serving import PATIENCE_S

GPU, CPU = 77, 99
REGION = {"x": 100, "y": 150, "width": 420, "height": 260}
BUSY = {"image": text(encoded(noise(700, 600))), "regions": [REGION], "mask_mode": "box", "mask_dilation": 0}


class Painter:
    """A model that paints one color for each device, and whose GPU bears crops up to a side."""

    modulus, calls_at_once = 1, 1
    largest_side_px: int | None = None

    def __init__(self, name: str, device: str = "cuda", limit_px: int = 10_000) -> None:
        self.name, self.device, self.limit_px = name, device, limit_px
        self.seeds: list[int] = []

    def warm_up(self) -> None:
        pass

    def inpaint(
        self, rgb: NDArray[np.uint8], mask: NDArray[np.uint8], params: Params | None = None
    ) -> NDArray[np.uint8]:
        if self.device == "cuda" and max(mask.shape) > self.limit_px:
            raise OutOfMemory(f"{mask.shape} on cuda")
        self.seeds.append(params.fields["sd_seed"] if params else -1)
        return np.full_like(rgb, GPU if self.device == "cuda" else CPU)

    def close(self) -> None:
        pass


def _events(live: Inpaint, task_id: str) -> list[str]:
    board = open_board(KIND, live.settings)
    events = asyncio.run(board.call(board.store.events, task_id, 0, 1000))
    board.close()
    return [event.type for event in events]


@pytest.mark.parametrize(
    ("limit_px", "told", "color"),
    [(10_000, [], GPU), (300, ["out_of_memory", "split"], GPU), (0, ["out_of_memory", "split", "cpu"], CPU)],
)
def test_too_little_memory_splits_then_goes_to_the_cpu_and_each_is_an_event(
    serve: Serve, limit_px: int, told: list[str], color: int
) -> None:
    def cramped(name: str, *, device: str, **_: Any) -> Inpainter:
        return Painter(name, "cuda" if device == "auto" else device, limit_px)

    live = serve(cramped, model="lama")
    task = live.post("/api/v1/inpaint-regions-async", BUSY).json()["task_id"]
    assert live.ended(task)["status"] == "completed"
    heard = _events(live, task)
    assert [kind for kind in ("out_of_memory", "split", "cpu") if kind in heard] == told
    pixels, before = decoded(live.get(f"/api/v1/task-result/{task}").content), noise(700, 600)
    inside = np.zeros(before.shape[:2], bool)
    inside[150:410, 100:520] = True
    assert (pixels[inside] == color).all()
    assert np.array_equal(pixels[~inside], before[~inside])


def test_the_settings_say_what_a_model_sees_and_how_much_in_a_call(serve: Serve) -> None:
    told: list[object] = []

    class Witness(Painter):
        def inpaint(
            self, rgb: NDArray[np.uint8], mask: NDArray[np.uint8], params: Params | None = None
        ) -> NDArray[np.uint8]:
            told.append(mask.shape)
            return super().inpaint(rgb, mask, params)

    def load_witness(name: str, *, economy: Economy, **_: Any) -> Inpainter:
        told.append(economy.batch)
        return Witness(name)

    live = serve(load_witness, model="lama", context=0.1, context_min=8, batch=3)
    assert live.post("/api/v1/inpaint-regions", BUSY).status_code == 200
    small = {**BUSY, "regions": [{"x": 100, "y": 150, "width": 420, "height": 30}]}
    assert live.post("/api/v1/inpaint-regions", small).status_code == 200
    assert told == [3, (260 + 2 * 26, 420 + 2 * 26), (30 + 2 * 8, 420 + 2 * 8)]


def test_an_idle_model_is_unloaded_and_the_next_request_loads_it_again(serve: Serve) -> None:
    loads: list[str] = []

    def counted(name: str, **_: Any) -> Inpainter:
        loads.append(name)
        return Painter(name)

    live = serve(counted, model="lama", idle_unload_s=0.02)
    live.until(lambda: live.get("/api/v1/model").json()["status"] == "unloaded")
    assert live.get("/readyz").status_code == live.get("/api/v1/health").status_code == 200
    answer = live.post("/api/v1/inpaint-regions", BUSY)
    assert (answer.status_code, answer.headers["x-model"]) == (200, "lama")
    assert len(loads) > 1


def test_a_model_that_loads_holds_up_no_request_for_another(serve: Serve) -> None:
    let, begun = threading.Event(), threading.Event()

    def slow(name: str, **options: Any) -> Inpainter:
        if name == "plane":
            begun.set()
            assert let.wait(PATIENCE_S)
        return load(name, **options)

    live = serve(slow, workers=1)
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(live.post, "/api/v1/inpaint-regions", order(model="plane")) for _ in range(3)]
        assert begun.wait(PATIENCE_S)
        assert live.post("/api/v1/inpaint-regions", order()).headers["x-model"] == "auto"
        let.set()
        assert [future.result(PATIENCE_S).headers["x-model"] for future in waiting] == ["plane"] * 3


def test_the_seed_of_a_diffusion_model_is_told_with_the_picture(serve: Serve) -> None:
    name = "runwayml/stable-diffusion-inpainting"
    painter = Painter(name)
    live = serve(lambda name, **_: painter, model=name)
    given = live.post("/api/v1/inpaint-regions", {**BUSY, "sd_seed": 42})
    drawn = live.post("/api/v1/inpaint-regions", BUSY)
    assert (given.headers["x-seed"], drawn.headers["x-seed"]) == ("42", str(painter.seeds[-1]))
    assert painter.seeds[-1] >= 0
    task = live.post("/api/v1/inpaint-regions-async", {**BUSY, "sd_seed": 7}).json()["task_id"]
    live.ended(task)
    assert live.get(f"/api/v1/task-result/{task}").headers["x-seed"] == "7"
    assert "x-seed" not in live.post("/api/v1/inpaint-regions", {**BUSY, "model": "plane"}).headers
