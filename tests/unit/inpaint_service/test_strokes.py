"""The network that ships knows letters when it sees them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.messages import Region
from inpaint_service.strokes import StrokeNetwork

SIZE = (120, 420)
LINE = Region(x=18, y=36, width=330, height=44)
WHOLE = (0, 0, 420, 120)
INSIDE = np.s_[36:80, 18:348]


def letters(text: str = "Sample 42") -> NDArray[np.bool_]:
    drawn = np.zeros(SIZE, np.uint8)
    cv2.putText(drawn, text, (20, 72), cv2.FONT_HERSHEY_DUPLEX, 1.6, 255, 4, cv2.LINE_AA)
    return np.asarray(drawn > 100)


def picture(ink: NDArray[np.bool_]) -> NDArray[np.uint8]:
    noise = np.random.default_rng(3).integers(0, 120, (4, 12, 3)).astype(np.uint8)
    rgb = np.asarray(cv2.resize(noise, SIZE[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)
    rgb[ink] = (250, 240, 200)
    return rgb


def test_letters_over_a_restless_ground_are_found() -> None:
    ink = letters()[INSIDE]
    found = StrokeNetwork().ink(picture(letters()), LINE, WHOLE)[INSIDE] > 0.3
    assert (found & ink).sum() / ink.sum() > 0.95
    near = cv2.dilate(ink.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert (found & near).sum() / found.sum() > 0.7


def test_threads_get_the_same_answer_as_one() -> None:
    network, rgb = StrokeNetwork(), picture(letters())
    alone = network.ink(rgb, LINE, WHOLE)
    before = rgb.copy()
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda _: network.ink(rgb, LINE, WHOLE), range(8)))
    assert all(np.array_equal(alone, found) for found in together)
    assert np.array_equal(rgb, before)


def test_a_region_of_one_pixel_and_one_past_the_border_are_no_error() -> None:
    network, rgb = StrokeNetwork(), picture(letters())
    for region in (Region(x=5, y=5, width=1, height=1), Region(x=400, y=100, width=200, height=80)):
        assert network.ink(rgb, region, (390, 90, 420, 120)).shape == (30, 30)


def test_the_weights_are_small() -> None:
    assert len(files("inpaint_service").joinpath("weights/strokes.onnx").read_bytes()) < 2_000_000
