"""Blocks and their Markdown, from lines placed by hand."""

from __future__ import annotations

import pytest

from cleanplate.contract.messages import BoxModel, DetectedRegion, Detection
from cleanplate.contract.problems import Malformed
from ocr_service.blocks import blocks
from ocr_service.layout import failure, layout
from ocr_service.markdown import markdown, plain

WIDE = 400.0


class Page:
    """Lines in the order in which they were added."""

    def __init__(self) -> None:
        self.lines: list[DetectedRegion] = []

    def add(self, text: str, x: float, y: float, width: float = WIDE, height: float = 20, angle: float = 0) -> Page:
        corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
        box = BoxModel(x=x, y=y, width=width, height=height)
        name = f"r{len(self.lines) + 1}"
        self.lines.append(DetectedRegion(id=name, polygon=corners, box=box, text=text, score=1, angle=angle))
        return self

    def down(self, x: float, y: float, *texts: str, width: float = WIDE) -> Page:
        for number, text in enumerate(texts):
            self.add(text, x, y + 26 * number, width)
        return self

    def markdown(self) -> str:
        return markdown(blocks(self.lines))


def test_the_lines_of_a_paragraph_become_one() -> None:
    assert Page().down(0, 0, "one", "two", "three").markdown() == "one two three\n"


def test_white_space_divides_paragraphs() -> None:
    assert Page().down(0, 0, "one", "two").down(0, 90, "three").markdown() == "one two\n\nthree\n"


def test_an_indented_line_begins_a_paragraph() -> None:
    page = Page().add("  first", 30, 0).add("goes on", 0, 26).add("second", 30, 52).add("goes on", 0, 78)
    assert page.markdown() == "first goes on\n\nsecond goes on\n"


def test_columns_are_read_one_after_the_other_below_what_spans_both() -> None:
    page = Page().add("over both", 0, 0, 900)
    page.down(0, 80, *["left"] * 3).down(500, 80, *["right"] * 3)
    assert page.markdown() == "over both\n\nleft left left\n\nright right right\n"


def test_a_divided_word_is_joined_and_a_compound_is_not() -> None:
    assert Page().down(0, 0, "exam-", "ple of A-", "B").markdown() == "example of A- B\n"


def test_chinese_lines_are_joined_without_a_space() -> None:
    assert Page().down(0, 0, "今天天气", "很好").markdown() == "今天天气很好\n"


@pytest.mark.parametrize(("height", "mark"), [(44, "# "), (34, "## "), (28, "### "), (24, "")])
def test_what_is_clearly_taller_than_most_is_a_heading(height: float, mark: str) -> None:
    page = Page().add("Head", 0, 0, height=height).down(0, 90, *["a long line of the body"] * 3)
    assert page.markdown().splitlines()[0] == f"{mark}Head"


def test_a_page_of_one_size_has_no_headings() -> None:
    assert Page().add("EXIT", 0, 0, height=90).markdown() == "EXIT\n"


def test_items_become_a_list() -> None:
    page = Page().down(0, 0, "• first", "2. second", "10) tenth").add("goes on", 30, 78)
    assert page.markdown() == "- first\n2. second\n10. tenth goes on\n"


def test_short_cells_in_rows_and_columns_become_a_table() -> None:
    page = Page().down(0, 0, "above all the cells is a paragraph")
    for row, cells in enumerate([("Name", "Price"), ("Te|a", "2.00"), ("Milk", "1.50")]):
        for column, cell in enumerate(cells):
            page.add(cell, 300 * column, 90 + 30 * row, 80)
    page.down(0, 250, "and below is another")
    shown = page.markdown().splitlines()
    assert shown[2:6] == ["| Name | Price |", "| --- | --- |", "| Te\\|a | 2.00 |", "| Milk | 1.50 |"]
    assert (shown[0], shown[-1]) == ("above all the cells is a paragraph", "and below is another")


def test_turned_text_comes_last_and_is_no_heading() -> None:
    page = Page().add("up the margin", 0, 0, 20, 500, angle=-90).down(60, 0, "one", "two")
    assert page.markdown() == "one two\n\nup the margin\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("# no heading", "\\# no heading"),
        ("#hash", "#hash"),
        ("> no quote", "\\> no quote"),
        ("1999. A year", "1999\\. A year"),
        ("2*3*4 <b> [x](y)", "2\\*3\\*4 \\<b> \\[x\\](y)"),
        ("snake_case _not_", "snake_case \\_not\\_"),
        ("---", "\\---"),
        ("C:\\new", "C:\\\\new"),
    ],
)
def test_nothing_that_a_page_says_becomes_markup(text: str, shown: str) -> None:
    assert Page().add(text, 0, 0).markdown() == f"{shown}\n"


def test_a_page_without_text_is_empty() -> None:
    assert Page().add(" ", 0, 0).markdown() == ""
    assert plain(blocks([])) == ""


def test_thousands_of_lines_are_cut_in_few_steps() -> None:
    page = Page()
    for row in range(3000):
        page.add("line", 0, 60.0 * row)
    assert len(blocks(page.lines)) == 3000


def test_a_layout_names_the_regions_and_the_place_of_each_block() -> None:
    page = Page().add("Head", 0, 0, height=44).down(10, 90, "one long line of body", "two")
    told = layout(7, Detection(width=500, height=200, engine="e", model="m", regions=page.lines))
    assert (told["page"], told["width"], told["text"]) == (7, 500, "Head\n\none long line of body two\n")
    head, body = told["blocks"]
    assert (head["kind"], head["level"], head["regions"]) == ("heading", 1, ["r1"])
    assert (body["kind"], body["regions"]) == ("paragraph", ["r2", "r3"])
    assert body["box"] == {"x": 10, "y": 90, "width": 400, "height": 46}


def test_why_a_page_failed_cannot_end_the_comment_it_stands_in() -> None:
    note = failure(2, Malformed("--> <b>"))["markdown"]
    assert note.count("-->") == 1
