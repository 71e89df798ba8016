"""PP-StructureV3's blocks as pieces of a page; they have the attributes that count of paddlex's LayoutBlock."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from cleanplate.contract.geometry import Box
from ocr_service.engines import Piece
from ocr_service.structures import pieces

BOX = Box(10, 20, 80, 30)


@dataclass
class LayoutBlock:
    label: str
    content: str = ""
    bbox: tuple[float, ...] = (10, 20, 90, 50)


def page(*blocks: LayoutBlock, formulas: bool = True) -> list[Piece]:
    return pieces(blocks, 200, 100, formulas=formulas)


def markdown(label: str, content: str) -> str:
    (piece,) = page(LayoutBlock(label, content))
    return piece.markdown


@pytest.mark.parametrize(
    ("label", "content", "written"),
    [
        ("doc_title", "Annual\nreport", "# Annual report"),
        ("paragraph_title", "Methods", "## Methods"),
        ("paragraph_title", "2.1.3 Data", "#### 2.1.3 Data"),
        ("paragraph_title", "1.1.1.1.1.1.1.1 Depths", "###### 1.1.1.1.1.1.1.1 Depths"),
        ("text", "One. \nTwo. ", "One.\n\nTwo."),
        ("content", "1 Begin 3\n2 End 9", "1 Begin 3\\\n2 End 9"),
        ("text", "# one\n- two\n1. three\n-", "\\# one\n\n\\- two\n\n1\\. three\n\n\\-"),
        ("text", "1. $x$ - 2", "1\\. $x$ - 2"),
        ("text", "$x$ # y", "$x$ # y"),
        ("content", "1. Begin 3\n- End 9", "1\\. Begin 3\\\n\\- End 9"),
        ("paragraph_title", "1. Methods", "## 1. Methods"),
        ("algorithm", "if `a`:\n  b", "```\nif `a`:\n  b\n```"),
        ("algorithm", "````", "`````\n````\n`````"),
        ("formula", "E = mc^{2}", "$$\nE = mc^{2}\n$$"),
        ("formula", "$ x $", "$$\nx\n$$"),
        ("a label of tomorrow", "text", "text"),
    ],
)
def test_a_block_is_written_as_what_it_is(label: str, content: str, written: str) -> None:
    assert markdown(label, content) == written


def test_text_stays_text_but_for_its_formulas() -> None:
    assert markdown("text", "<b>*so*</b> $a_{1}*b$ [x]") == "\\<b>\\*so\\*\\</b> $a_{1}*b$ \\[x\\]"
    (piece,) = page(LayoutBlock("text", "5$ *or* 6$"), formulas=False)
    assert piece.markdown == "5$ \\*or\\* 6$"


def test_a_table_keeps_its_cells_and_what_they_span_and_nothing_else() -> None:
    html = (
        '<html><body><table border="1"><thead><tr><td colspan="2" onclick="x()">A &amp; B</td></tr></thead>'
        "<tbody><tr><td>1 < 2\n\n</td><td rowspan='1'><b><script>x()</script></b></td></tr></tbody>"
        "</table></body></html>"
    )
    head = '<thead><tr><td colspan="2">A &amp; B</td></tr></thead>'
    row = "<tr><td>1 &lt; 2 </td><td>&lt;script&gt;x()&lt;/script&gt;</td></tr>"
    assert markdown("table", html) == f"<table>{head}<tbody>{row}</tbody></table>"


def test_a_picture_in_a_table_follows_it() -> None:
    html = '<table><tr><td><img src="imgs/img_in_image_box_20_30_60_45.jpg" alt="Image" />Tea</td></tr></table>'
    table, picture = page(LayoutBlock("table", html))
    assert table.markdown == "<table><tr><td>Tea</td></tr></table>"
    assert picture == Piece("picture", box=Box(20, 30, 40, 15), label="image")


@pytest.mark.parametrize("label", ["image", "figure", "chart", "seal", "header_image"])
def test_a_picture_is_cut_out_where_it_is(label: str) -> None:
    assert page(LayoutBlock(label, "words in it")) == [Piece("picture", box=BOX, label=label)]


def test_a_formula_that_nobody_read_is_a_picture() -> None:
    assert page(LayoutBlock("formula", "E=mc2"), formulas=False) == [Piece("picture", box=BOX, label="formula")]


def test_boxes_are_inside_the_page_and_pieces_in_their_order() -> None:
    found = page(LayoutBlock("text", "b", (150, -5, 260, 40)), LayoutBlock("text", "a", (0, 0, 0, 9)))
    assert [(piece.markdown, piece.box) for piece in found] == [("b", Box(150, 0, 50, 40)), ("a", None)]


def test_what_is_empty_or_off_the_page_is_left_out() -> None:
    blocks = [LayoutBlock("text", " \n"), LayoutBlock("table", "<table></table>"), LayoutBlock("formula")]
    assert page(*blocks, LayoutBlock("image", "", (300, 0, 400, 50))) == []
