"""Finding pictures on a page without a layout model, and putting them among its blocks."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cleanplate.contract.geometry import Box
from cleanplate.contract.messages import BoxModel, DetectedRegion, Detection
from ocr_service.engines import PageText, Piece
from ocr_service.figures import Figure, cut_out, figure_name, page_of, picture_boxes
from ocr_service.layout import layout, written

RNG = np.random.default_rng(5)


def white(width: int = 640, height: int = 800) -> NDArray[np.uint8]:
    return np.full((height, width, 3), 255, np.uint8)


def photograph(page: NDArray[np.uint8], box: Box) -> None:
    left, top, right, bottom = box.pixels()
    page[top:bottom, left:right] = RNG.integers(0, 180, (bottom - top, right - left, 3), np.uint8)


def near(found: Box, true: Box) -> bool:
    return max(abs(found.x - true.x), abs(found.y - true.y), abs(found.right - true.right)) <= 16


def test_photographs_are_found_from_the_top() -> None:
    page, true = white(), [Box(300, 100, 240, 160), Box(60, 500, 300, 200)]
    for box in reversed(true):
        photograph(page, box)
    found = picture_boxes(page, [])
    assert len(found) == 2
    assert all(near(one, other) for one, other in zip(found, true, strict=True))


def test_text_is_no_picture() -> None:
    page = white()
    for top in range(100, 700, 24):
        page[top : top + 12, 60:580:4] = 0
    assert picture_boxes(page, []) == []


def test_what_was_read_is_no_picture_however_dark() -> None:
    page, banner = white(), Box(0, 0, 640, 120)
    page[0:120] = 20
    assert len(picture_boxes(page, [])) == 1
    assert picture_boxes(page, [banner]) == []


def test_specks_and_frames_are_no_pictures() -> None:
    page = white()
    photograph(page, Box(100, 100, 40, 40))
    page[300:304, 50:600] = page[700:704, 50:600] = 0
    page[300:704, 50:54] = page[300:704, 596:600] = 0
    assert picture_boxes(page, []) == []


def test_a_blank_page_has_none() -> None:
    assert picture_boxes(white(1, 1), []) == []
    assert picture_boxes(white(), []) == []


def test_a_picture_is_cut_out_as_it_is() -> None:
    page = white()
    page[100:200, 50:150] = (200, 30, 30)
    part, file = cut_out(page, Box(50, 100, 100, 100))
    assert part.shape == (100, 100, 3)
    assert (part == (200, 30, 30)).all()
    assert Image.open(BytesIO(file)).size == (100, 100)


def test_a_pictures_name_tells_its_page() -> None:
    assert page_of(figure_name(12, 3)) == 12


def line(id: str, top: float) -> DetectedRegion:
    box = BoxModel(x=50, y=top, width=200, height=20)
    polygon = [(50.0, top), (250.0, top), (250.0, top + 20), (50.0, top + 20)]
    return DetectedRegion(id=id, polygon=polygon, box=box, text=f"line {id}", score=1, angle=0)


def seen(*lines: DetectedRegion) -> Detection:
    return Detection(width=640, height=800, engine="e", model="m", regions=list(lines))


def test_a_picture_stands_between_what_is_above_and_below_it() -> None:
    figure = Figure("page-000001-1.jpg", Box(40, 300, 300, 200), "A *cat*")
    page = layout(1, seen(line("a", 100), line("b", 600)), [figure])
    assert page["markdown"] == "line a\n\n![A \\*cat\\*](images/page-000001-1.jpg)\n\nline b\n"
    assert page["text"] == "line a\n\nA *cat*\n\nline b\n"


def test_a_picture_below_everything_comes_last() -> None:
    page = layout(1, seen(line("a", 100)), [Figure("p.jpg", Box(40, 300, 300, 200))])
    assert page["markdown"] == "line a\n\n![](images/p.jpg)\n"
    assert page["text"] == "line a\n"


def test_an_engines_own_markdown_stays_as_it_is() -> None:
    pieces = (Piece("markdown", "# *T*", Box(1, 2, 30, 4), "title"), Piece("picture", box=Box(1, 9, 30, 9)))
    page = written(2, seen(), PageText(pieces, ("a -- b",)), [Figure("p.jpg", Box(1, 9, 30, 9))], ["c"])
    assert page["markdown"] == "# *T*\n\n![](images/p.jpg)\n\n<!-- page 2: a - - b -->\n\n<!-- page 2: c -->\n"
    assert page["warnings"] == ["a -- b", "c"]
    assert [(block["kind"], block["box"]["height"]) for block in page["blocks"]] == [("markdown", 4), ("picture", 9)]
    assert [region["text"] for region in page["regions"]] == ["# *T*"]
