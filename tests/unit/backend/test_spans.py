"""The parts of a job's progress, one after the other."""

from __future__ import annotations

from backend import spans
from backend.spans import MOST_PAINTINGS, Span


def test_rounds_follow_each_other_without_gap_or_overlap() -> None:
    steps: list[Span] = []
    for number in range(1, MOST_PAINTINGS + 1):
        steps += [spans.painting(number, verify=True), spans.look(number)]
    assert steps[0].begin == spans.MASKED
    assert [step.end for step in steps[:-1]] == [step.begin for step in steps[1:]]
    assert all(step.begin < step.end < spans.KEPT for step in steps)
    assert [step.stage for step in steps] == ["inpainting"] + ["verifying"] * 5
    assert steps[-1].stage_progress(1) == 1
    assert spans.look(1, last=True).end == steps[-1].end


def test_a_stage_goes_from_nothing_to_all() -> None:
    for span in (spans.painting(1, verify=False), spans.painting(1, verify=True), spans.look(1, last=True)):
        assert [span.stage_progress(share) for share in (0, 1)] == [0, 1]
        assert (span.at(0), span.at(1)) == (span.begin, span.end)
