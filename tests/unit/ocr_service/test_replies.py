"""What models say, and what of it is taken for a page, a line or a description."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanplate.contract.geometry import Box
from cleanplate.contract.problems import BadUpstream
from ocr_service.vision.replies import (
    DESCRIPTION_CHARS,
    LINES_PROMPT,
    PAGE_PROMPT,
    description,
    page_markdown,
    text_boxes,
)
from ocr_service.vision.streams import Answer

PAGE = "# Title\n\nWords."


def read(text: str, finish: str = "stop") -> tuple[str, list[str]]:
    return page_markdown(Answer(text, finish), PAGE_PROMPT)


def boxes(text: str, finish: str = "stop") -> list[tuple[str, Box]]:
    return text_boxes(Answer(text, finish), 2000, 1000)


@pytest.mark.parametrize(
    "said",
    [
        PAGE,
        f"\n\n{PAGE}\n",
        f"```markdown\n{PAGE}\n```",
        f"```md\n{PAGE}\n```\n",
        f"```\n{PAGE}\n```",
        f"```markdown\n{PAGE}",
        f"```markdown\n{PAGE}```",
        f"{PAGE}\n```",
        f"<think>What is this?\n# Nonsense</think>\n{PAGE}",
        f"What is this?</think>{PAGE}",
        f"<think>a</think><think>b</think>\n```markdown\n{PAGE}\n```",
        f"<think>a <think> b\n</think>{PAGE}<think>and then",
    ],
)
def test_what_is_around_a_page_is_taken_off(said: str) -> None:
    assert read(said) == (PAGE, [])


@pytest.mark.parametrize(
    "said",
    [
        "```python\nprint()\n```",
        "```\na\n```\n\nWords\n\n```\nb\n```",
        "```\na\n```\n\nWords",
        "Words\n\n```\na\n```",
        "| a | b |\n| --- | --- |",
    ],
)
def test_what_belongs_to_a_page_stays(said: str) -> None:
    assert read(said) == (said, [])


def test_a_fence_within_a_fenced_page_stays() -> None:
    inner = f"{PAGE}\n\n```python\nprint()\n```"
    assert read(f"```markdown\n{inner}\n```") == (inner, [])


@pytest.mark.parametrize("said", ["", "  \n", "```markdown\n```", "<think>I wonder", "<think>a</think>"])
def test_an_empty_answer_is_refused(said: str) -> None:
    with pytest.raises(BadUpstream, match="empty"):
        read(said)


def test_a_blank_page_has_no_text() -> None:
    assert read("<!-- blank -->") == ("", [])


def test_our_own_question_is_no_answer() -> None:
    with pytest.raises(BadUpstream, match="question"):
        read(f"Sure! {PAGE_PROMPT}")
    with pytest.raises(BadUpstream, match="question"):
        boxes(LINES_PROMPT)


def test_a_short_question_may_be_on_the_page() -> None:
    assert page_markdown(Answer("OCR\n\nis an art"), "OCR")[0] == "OCR\n\nis an art"


def test_a_page_that_was_cut_off_says_so() -> None:
    text, (warning,) = read("```markdown\n# Half a", "length")
    assert text == "# Half a"
    assert "cut off" in warning


def test_an_answer_that_was_filtered_is_refused() -> None:
    with pytest.raises(BadUpstream, match="filter"):
        read("# Half a", "content_filter")


def test_pictures_that_only_the_model_knows_become_their_words() -> None:
    assert read("See ![a logo](http://example.com/spy?x=1) and ![](images/1.png).")[0] == "See a logo and ."


@given(st.text(max_size=200))
def test_whatever_is_said_is_a_page_or_refused(said: str) -> None:
    try:
        text, _ = read(said)
    except BadUpstream:
        return
    assert text == text.strip()


LINE = {"text": "SALE", "box": [0, 100, 500, 200]}


@pytest.mark.parametrize(
    "said",
    [
        json.dumps([LINE]),
        f"```json\n{json.dumps([LINE])}\n```",
        json.dumps({"lines": [LINE]}),
        json.dumps(LINE),
        f"{json.dumps(LINE)}\n",
        f"<think>hm</think>[\n{json.dumps(LINE)},\n]",
    ],
)
def test_lines_come_as_an_array_or_one_by_one(said: str) -> None:
    assert boxes(said) == [("SALE", Box(0, 100, 1000, 100))]


def test_several_lines_come_one_by_one() -> None:
    assert len(boxes("\n".join([json.dumps(LINE)] * 3))) == 3


def test_a_picture_without_text_has_no_lines() -> None:
    assert boxes("[]") == []


def test_a_box_a_little_outside_is_clipped() -> None:
    assert boxes(json.dumps([{"text": "a", "box": [-3, 0, 1004.5, 500]}])) == [("a", Box(0, 0, 2000, 500))]


@pytest.mark.parametrize(
    "box",
    [
        [0, 0, 1900, 900],  # pixels
        [-300, 0, 500, 500],
        [500, 0, 100, 200],
        [5, 5, 5, 9],
        [0, 0, 1],
        ["0", "0", "9", "9"],
        [True, False, True, True],
        [0, 0, float("nan"), 9],
        [0, 0, float("inf"), 9],
        {"x": 1},
        None,
    ],
)
def test_a_box_without_sense_is_refused(box: Any) -> None:
    with pytest.raises(BadUpstream):
        boxes(json.dumps([LINE, {"text": "a", "box": box}]))


@pytest.mark.parametrize(
    "said",
    [
        "I see a sign that says SALE.",
        '[{"text": "SALE", "box": [0, 1',
        '[{"box": [0, 0, 9, 9]}]',
        '["SALE"]',
        "42",
        "[" * 100_000,
        '{"a": [], "b": []}',
    ],
)
def test_anything_else_is_refused(said: str) -> None:
    with pytest.raises(BadUpstream):
        boxes(said)


def test_lines_that_were_cut_off_are_refused() -> None:
    with pytest.raises(BadUpstream, match="cut off"):
        boxes(json.dumps([LINE]), "length")


def test_halves_of_characters_do_not_get_through() -> None:
    ((text, _),) = boxes('[{"text": "a\\ud83d", "box": [0, 0, 9, 9]}]')
    assert text.encode()


def test_a_description_is_one_line_and_not_endless() -> None:
    assert description(Answer("A cat\non a  mat.")) == "A cat on a mat."
    assert len(description(Answer("cat " * 1000))) <= DESCRIPTION_CHARS
