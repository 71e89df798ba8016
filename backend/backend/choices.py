"""Which of the regions that were found are erased: as the options say, until a client says it of each."""

from __future__ import annotations

from pydantic import Field

from backend import patterns
from backend.options import Options
from cleanplate.contract.messages import DetectedRegion, Detection, MaskMode

DOUBTFUL_AREA = 0.4
"""A single character that covers more of a picture than this is none: so a fence, a frame and rays are read in
three of the test set's 70 pictures, while the largest true line covers 0.6 and has five characters."""
UNSURE_AREA, UNSURE_SCORE = 0.01, 0.3
"""Nor is one that covers more than this and is read with less than this score: so the front of a building is."""


class Choice(DetectedRegion):
    """A region, and whether it is erased."""

    enabled: bool = Field(True, description="whether it is erased")
    mask_mode: MaskMode | None = Field(None, description="what of it is erased; null: as the job's options say")


class Choices(Detection):
    """All the text of a picture, and what of it is erased."""

    regions: list[Choice]  # type: ignore[assignment]  # it is read as a list of detected regions, and never added to

    def chosen(self) -> list[Choice]:
        """Return the regions that are erased."""
        return [region for region in self.regions if region.enabled]


def choose(detection: Detection, options: Options) -> Choices:
    """Return the regions with what the options say of each. Blocking.

    Raises:
        Invalid: a search for one of the patterns takes too long.
    """
    found = patterns.found(options.patterns(), [region.text for region in detection.regions])
    nothing = [True] * len(detection.regions)
    match, keep = found.get("match", nothing), found.get("keep", [False] * len(nothing))
    size = detection.width, detection.height
    regions = [
        Choice(**region.model_dump(), enabled=matches and not kept and _wanted(region, options, size))
        for region, matches, kept in zip(detection.regions, match, keep, strict=True)
    ]
    return Choices(**{**detection.model_dump(), "regions": regions})


def _wanted(region: DetectedRegion, options: Options, size: tuple[int, int]) -> bool:
    box = region.box
    height, middle = min(box.width, box.height), (box.x + box.width / 2, box.y + box.height / 2)
    if _doubtful(region, box.width * box.height / (size[0] * size[1])):
        return False
    if region.score < options.min_score or not options.min_height <= height <= (options.max_height or height):
        return False
    if options.include and not any(area.holds(middle, *size) for area in options.include):
        return False
    return not any(area.holds(middle, *size) for area in options.exclude)


def _doubtful(region: DetectedRegion, share: float) -> bool:
    letters = len(region.text.strip())  # none: a script that the engine cannot read
    return letters < 2 and (
        share > DOUBTFUL_AREA or (letters == 1 and share > UNSURE_AREA and region.score < UNSURE_SCORE)
    )
