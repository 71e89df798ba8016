"""What a model said → Markdown, lines of text or a description. Strict: what makes no sense is refused. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from cleanplate.contract.geometry import Box
from cleanplate.contract.problems import BadUpstream
from ocr_service.vision.streams import Answer, well_formed

PAGE_PROMPT = (
    "Transcribe this page as Markdown, completely and in reading order. Keep its language, headings, lists and"
    " emphasis; write tables as Markdown tables and formulas as LaTeX between dollar signs. Leave pictures out. Do not"
    " translate, explain or add anything, and write no code fence around the answer. If there is no text on the page,"
    " answer <!-- blank -->"
)
LINES_PROMPT = (
    "Find every line of text in this picture. Answer with a JSON array only, in reading order, with one object for each"
    ' line: {"text": "the line as it is written", "box": [x1, y1, x2, y2]}. The box is the line\'s left, top, right and'
    " bottom edge as whole numbers from 0 to 1000, where 1000 is the full width or height of the picture. If there is"
    " no text, answer []"
)
DESCRIPTION_PROMPT = (
    "Describe what this picture shows, in one or two plain sentences, as alternative text for somebody who cannot see"
    " it. Do not begin with words such as picture or image, and use no Markdown."
)
BLANK = "<!-- blank -->"
CUT_OFF = "the model's answer was cut off at its limit of tokens; the end of the page is missing"
SCALE = 1000
SLACK = 20  # so far over an edge a box is clipped, beyond it refused
LINES_LIMIT = 10_000
TEXT_CHARS = 10_000
DESCRIPTION_CHARS = 600
ECHO_CHARS = 60

_FENCE = re.compile(r"^[ ]{0,3}```[^\n`]{0,40}$", re.MULTILINE)
_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_OPENING = re.compile(r"```([\w-]{0,20})[ \t]*\n")
_WRAPPERS = ("", "markdown", "md", "json", "jsonl", "text", "html")
_PICTURE = re.compile(r"!\[([^\]\n]{0,300})\]\([^)\n]{0,2000}\)")


def page_markdown(answer: Answer, prompt: str) -> tuple[str, list[str]]:
    """Return a page's Markdown, and what is to be said about it.

    Raises:
        BadUpstream: there is none, or it is our own prompt.
    """
    text = _cleaned(answer, prompt)
    warnings = [CUT_OFF] if answer.finish == "length" else []
    if text == BLANK:
        return "", warnings
    return without_pictures(text), warnings


def description(answer: Answer) -> str:
    """Return the description of a picture in one line. Raises BadUpstream: there is none."""
    text = " ".join(_cleaned(answer, DESCRIPTION_PROMPT).split())
    return text if len(text) <= DESCRIPTION_CHARS else text[: DESCRIPTION_CHARS - 1].rstrip() + "…"


def text_boxes(answer: Answer, width: int, height: int) -> list[tuple[str, Box]]:
    """Return lines of text and where they are, in pixels of a picture of this size.

    Raises:
        BadUpstream: it is not what was asked for, was cut off, or a box is outside the picture or has no area.
    """
    if answer.finish == "length":
        raise BadUpstream("the model's answer was cut off at its limit of tokens")
    found = _items(_cleaned(answer, LINES_PROMPT))
    if len(found) > LINES_LIMIT:
        raise BadUpstream(f"the model claims to see {len(found)} lines of text")
    return [_placed(item, width, height) for item in found]


def without_pictures(markdown: str) -> str:
    """Replace references to pictures, which a model can only invent, by their words."""
    return _PICTURE.sub(r"\1", markdown)


def _cleaned(answer: Answer, prompt: str) -> str:
    if answer.finish == "content_filter":
        raise BadUpstream("the endpoint's filter held the answer back")
    text = _without_fence(_without_thoughts(answer.text).strip()).strip()
    if not text:
        raise BadUpstream("the model gave an empty answer")
    asked = " ".join(prompt.split())[:ECHO_CHARS]
    if len(asked) == ECHO_CHARS and asked in " ".join(text[: 4 * ECHO_CHARS].split()):
        raise BadUpstream("the model repeated the question")
    return text


def _without_thoughts(text: str) -> str:
    """Drop what is between <think> and </think>; where either is missing, from the begin or to the end."""
    before, closing, after = text.partition("</think>")
    if closing and "<think>" not in before:
        text = after
    return _THOUGHT.sub("", text)


def _without_fence(text: str) -> str:
    """Drop the code fence around all of it, also where only its begin or its end is there."""
    fences, opening = len(_FENCE.findall(text)), _OPENING.match(text)
    wraps = opening and opening[1].lower() in _WRAPPERS and (opening[1] or fences <= 2)
    if opening and wraps and (fences % 2 or text.endswith("```")):  # else it is around the begin only
        text, fences = text[opening.end() :], fences - 1
        text = text if fences else text.removesuffix("```")
    return text[:-3] if fences % 2 and text.endswith("```") else text


def _items(text: str) -> Sequence[Any]:
    """Return the array that a text is, that an object holds as its only list, or that its lines are."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = [_line(line) for line in text.splitlines() if line.strip() not in ("", "[", "]", "],")]
    if isinstance(given, dict) and "box" in given:
        return [given]
    if isinstance(given, dict):
        lists = [value for value in given.values() if isinstance(value, list)]
        given = lists[0] if len(lists) == 1 else None
    if not isinstance(given, list):
        raise BadUpstream("the model did not answer with lines and boxes")
    return given


def _line(text: str) -> Any:
    try:
        return json.loads(text.strip().rstrip(","))
    except (ValueError, RecursionError):
        raise BadUpstream("the model did not answer with lines and boxes") from None


def _placed(item: Any, width: int, height: int) -> tuple[str, Box]:
    text, edges = (item.get("text"), item.get("box")) if isinstance(item, dict) else (None, None)
    if not isinstance(text, str) or not isinstance(edges, list) or len(edges) != 4 or not all(map(_is_edge, edges)):
        raise BadUpstream("the model gave a line without text, or a box outside the picture")
    left, top, right, bottom = (min(max(edge, 0), SCALE) / SCALE for edge in edges)
    if right <= left or bottom <= top:
        raise BadUpstream("the model gave a box without area")
    box = Box(left * width, top * height, (right - left) * width, (bottom - top) * height)
    return " ".join(well_formed(text).split())[:TEXT_CHARS], box


def _is_edge(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -SLACK <= value <= SCALE + SLACK
