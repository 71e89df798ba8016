"""An order on its way: what is done in a step."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cleanplate.contract.messages import Region
from cleanplate.runtime.images import PictureLimits, png
from inpaint_service.crops import CropOptions
from inpaint_service.erase import Eraser, Work
from inpaint_service.models import ModelChoice, Models
from inpaint_service.wire import Order, Params

REGIONS = tuple(Region(id=f"r{x}", x=x, y=20, width=30, height=10) for x in (20, 120, 220))


@pytest.fixture
def work() -> Work:
    """Three regions on gray, each by itself."""
    models = Models(ModelChoice("auto"))
    models.start()
    eraser = Eraser(models, PictureLimits(0, 0, 0), CropOptions())
    image = png.write(np.full((60, 300, 3), 128, np.uint8))
    order = Order(image, Params(mask_mode="box"), REGIONS)
    return eraser.prepare(order, eraser.open(order), 0.0)


def test_fills_are_done_together_for_a_while(work: Work) -> None:
    work.step(math.inf)
    assert (work.done, work.left) == (3, ())


def test_a_fill_that_takes_long_is_a_step(work: Work) -> None:
    done = []
    while work.left:
        work.step(0.0)
        done.append(work.done)
    assert done == [1, 2, 3]
