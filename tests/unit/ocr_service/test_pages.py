"""Documents of any kind as pages."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cleanplate.contract.problems import Invalid, Problem, TooLarge, UnsupportedMedia
from cleanplate.runtime.images import PictureLimits
from ocr_service.pages import PageLimits, choose, open_pages
from tests.fakes.pages import document, sheet

LIMITS = PageLimits(5, PictureLimits(2_000_000, 0, 100_000, "refuse"), 72, 30.0)


def gif(*colors: str) -> bytes:
    file = BytesIO()
    frames = [Image.new("RGB", (40, 30), color) for color in colors]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PDF", "TIFF", "GIF"])
def test_pages_are_those_of_the_file_in_any_order(kind: str) -> None:
    data = document(3, kind)
    assert choose(data, "2-3", LIMITS) == [1, 2]
    pages = open_pages(data, LIMITS)
    for index in (2, 0, 1):
        assert np.abs(pages.picture(index).astype(int) - sheet(index + 1)).max() < 60, index
    pages.close()


def test_frames_of_a_gif_are_whole_pictures() -> None:
    pages = open_pages(gif("#ff0000", "#00ff00", "#0000ff"), LIMITS)
    assert [pages.picture(index)[5, 5].tolist() for index in range(3)] == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]


def test_a_frame_that_is_larger_than_the_first_must_keep_the_limit_too() -> None:
    file = BytesIO()
    Image.new("L", (40, 30)).save(file, "TIFF", save_all=True, append_images=[Image.new("L", (1000, 1000))])
    data = file.getvalue()
    assert choose(data, None, LIMITS) == [0, 1]
    with pytest.raises(TooLarge, match="max_pixels") as caught:
        open_pages(data, LIMITS).picture(1)
    assert caught.value.field == "file"


def test_each_page_of_a_tiff_is_turned_as_it_says_itself() -> None:
    file, turned = BytesIO(), Image.Exif()
    turned[0x0112] = 6
    first, second = Image.new("L", (40, 30)), Image.new("L", (40, 30))
    second.encoderinfo = {"exif": turned}
    first.save(file, "TIFF", save_all=True, append_images=[second])
    pages = open_pages(file.getvalue(), LIMITS)
    assert [pages.picture(index).shape[:2] for index in (0, 1)] == [(30, 40), (40, 30)]


@pytest.mark.parametrize("kind", ["PDF", "TIFF", "GIF"])
def test_more_pages_than_allowed_are_refused_unless_fewer_are_asked_for(kind: str) -> None:
    data = document(6, kind)
    with pytest.raises(TooLarge, match=r"6 pages; at most 5.*max_pages") as caught:
        choose(data, None, LIMITS)
    assert (caught.value.field, caught.value.extra["limit"]) == ("file", 5)
    assert choose(data, "6,1-2", LIMITS) == [0, 1, 5]


def test_a_page_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(Invalid) as caught:
        choose(document(2, "TIFF"), "3", LIMITS)
    assert caught.value.field == "page_ranges"


def test_a_pdf_may_begin_a_little_late() -> None:
    assert choose(b"\r\n" * 10 + document(2), None, LIMITS) == [0, 1]


@pytest.mark.parametrize("data", [b"", b"x" * 100, b"8BPS" + bytes(60), document(1, "TIFF")[:20]])
def test_what_is_no_document_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(Problem) as caught:
        choose(data, None, LIMITS)
    assert caught.value.field == "file"
    assert isinstance(caught.value, UnsupportedMedia) == data.startswith(b"8BPS")
