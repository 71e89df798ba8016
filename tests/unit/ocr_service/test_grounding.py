"""DeepSeek-OCR's markup, as it should be and as models get it wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanplate.contract.geometry import Box
from cleanplate.contract.problems import BadUpstream
from ocr_service.engines.deepseek import page_text, text_lines
from ocr_service.grounding import Grounded, grounded
from ocr_service.vision.streams import Answer

WIDTH, HEIGHT = 1998, 999  # so that a unit is 2 px across and 1 px down
TAGS = ["<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>", "<\uff5cend▁of▁sentence\uff5c>"]
PARTS = st.sampled_from(
    [
        *TAGS,
        "title",
        "image",
        "图片",
        "# Words",
        "\n",
        "[[1, 2, 30, 40]]",
        "[[900, 5, 100, 2000], [3, 3, 3, 3]]",
        "[[",
        "]",
    ]
)


def ref(label: str, boxes: str, text: str = "") -> str:
    return f"<|ref|>{label}<|/ref|><|det|>{boxes}<|/det|>\n{text}"


def pieces(reply: str) -> list[Grounded]:
    return grounded(reply, WIDTH, HEIGHT)


def test_labels_boxes_and_text_belong_together() -> None:
    reply = ref("title", "[[10, 20, 110, 40]]", "# A title\n\n") + ref("text", "[[10, 50, 500, 90]]", "Words.\n")
    assert pieces(reply) == [
        Grounded("title", (Box(20, 20, 200, 20),), "# A title"),
        Grounded("text", (Box(20, 50, 980, 40),), "Words."),
    ]


def test_the_last_number_is_the_pages_edge() -> None:
    assert pieces(ref("text", "[[0, 0, 999, 999]]", "all"))[0].boxes == (Box(0, 0, WIDTH, HEIGHT),)


def test_a_piece_may_have_several_boxes() -> None:
    (piece,) = pieces(ref("text", "[[0, 0, 10, 10], [20, 0, 30, 10]]", "two"))
    assert piece.boxes == (Box(0, 0, 20, 10), Box(40, 0, 20, 10))


def test_corners_in_the_wrong_order_and_outside_the_page_are_put_right() -> None:
    assert pieces(ref("text", "[[110, 40, 10, 20]]"))[0].boxes == (Box(20, 20, 200, 20),)
    assert pieces(ref("text", "[[-50, 990, 5000, 1200]]"))[0].boxes == (Box(0, 990, WIDTH, 9),)


@pytest.mark.parametrize("boxes", ["[[5, 5, 5, 9]]", "[[1, 2, 3]]", "[[a, b, c, d]]", "", "nowhere"])
def test_a_box_without_area_or_sense_is_left_out_and_the_text_is_not(boxes: str) -> None:
    assert pieces(ref("text", boxes, "kept")) == [Grounded("text", (), "kept")]


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("<|ref|>text<|/ref|><|det|>[[1, 2, 3, 4]]\n2024 was a year", "2024 was a year"),
        ("<|ref|>text<|det|>[[1, 2, 3, 4]]<|/det|>\nwords", "words"),
        ("<|ref|>words that are no label", "words that are no label"),
        ("words before<|ref|>text<|/ref|>", "words before"),
        ("<|re<|ref|>f|> nested", "<|re f|> nested"),
    ],
)
def test_tags_that_are_not_closed_cost_no_text(reply: str, text: str) -> None:
    assert " ".join(piece.text for piece in pieces(reply) if piece.text) == text


def test_the_marks_around_a_sentence_are_no_text() -> None:
    assert pieces("<\uff5cbegin▁of▁sentence\uff5c>words<\uff5cend▁of▁sentence\uff5c>") == [Grounded("", (), "words")]


@given(st.lists(PARTS | st.text(max_size=8), max_size=30).map("".join))
def test_whatever_comes_no_markup_is_left_and_boxes_are_inside(reply: str) -> None:
    found = pieces(reply)
    assert not any(tag in piece.text + "\n" + piece.label for piece in found for tag in TAGS)
    for box in (box for piece in found for box in piece.boxes):
        assert box.x >= 0
        assert box.y >= 0
        assert box.right <= WIDTH + 1e-6
        assert box.bottom <= HEIGHT + 1e-6
        assert box.area > 0


@given(st.lists(st.tuples(st.sampled_from(["text", "title", "表格"]), st.text("ab c\n#|", max_size=20)), max_size=8))
def test_no_word_is_lost(given_: list[tuple[str, str]]) -> None:
    reply = "".join(ref(label, "[[1, 1, 9, 9]]", text) for label, text in given_)
    assert [(piece.label, piece.text) for piece in pieces(reply)] == [(label, text.strip()) for label, text in given_]


def test_a_picture_becomes_a_piece_of_its_own_and_its_caption_stays_text() -> None:
    reply = ref("image", "[[100, 100, 300, 400]]") + ref("image_caption", "[[100, 410, 300, 430]]", "Figure 1")
    picture, caption = page_text(Answer(reply), WIDTH, HEIGHT).pieces
    assert (picture.kind, picture.box) == ("picture", Box(200, 100, 400, 300))
    assert (caption.kind, caption.markdown, caption.label) == ("markdown", "Figure 1", "image_caption")


def test_a_label_that_is_no_label_is_the_text() -> None:
    (piece,) = page_text(Answer(ref("Total: 12.00", "[[1, 1, 50, 9]]")), WIDTH, HEIGHT).pieces
    assert (piece.markdown, piece.label) == ("Total: 12.00", "")


def test_lines_have_their_text_as_label() -> None:
    found = text_lines(Answer(ref("SALE", "[[1, 1, 50, 9]]") + ref("今天", "[[1, 20, 50, 29]]")), WIDTH, HEIGHT)
    assert [line.text for line in found] == ["SALE", "今天"]
    assert found[0].polygon[0] == (2, 1)


def test_an_answer_that_was_cut_off_says_so() -> None:
    cut = Answer(ref("text", "[[1, 1, 9, 9]]", "half a sen"), "length")
    assert "cut off" in page_text(cut, WIDTH, HEIGHT).warnings[0]
    with pytest.raises(BadUpstream, match="cut off"):
        text_lines(cut, WIDTH, HEIGHT)
