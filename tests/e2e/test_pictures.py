"""The main job on every real picture there is."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.cli.services import Services
from backend.residue import still_readable
from cleanplate.runtime.images import Picture, PictureLimits, decode
from tests.e2e.conftest import all_test_pictures, examples
from tests.e2e.jobs import Job, check_log, detect, readings, submit

LIMITS = PictureLimits(0, 0, 0)
GONE_AT_LEAST = 0.90

pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class Outcome:
    path: Path
    before: Picture
    after: Picture
    masked: np.ndarray
    found: int
    left: int


def erase(path: Path, services: Services) -> Outcome:
    data = path.read_bytes()
    job = submit(services.urls["backend"], data)
    view = job.end()
    assert view["status"] == "succeeded", f"{path.name}: {view['error']}"
    check_log(job.log())
    regions, result = [region for region in job.regions() if region["enabled"]], job.file("result")
    again = detect(services.urls["ocr-service"], result)
    before = decode(data, LIMITS)
    return Outcome(
        path=path,
        before=before,
        after=decode(result, LIMITS),
        masked=masked(job, before, regions),
        found=len(regions),
        left=sum(still_readable(reading, again) for reading in readings(regions)),
    )


def masked(job: Job, picture: Picture, regions: list[dict[str, Any]]) -> np.ndarray:
    """Return (H, W) bool, what the job was allowed to change."""
    if not regions:
        return np.zeros(picture.size, bool)
    return decode(job.file("mask"), LIMITS).rgb[:, :, 0] > 0


def check(outcome: Outcome) -> None:
    before, after, outside = outcome.before, outcome.after, ~outcome.masked
    assert after.size == before.size, outcome.path.name
    assert np.array_equal(after.rgb[outside], before.rgb[outside]), outcome.path.name
    assert (after.alpha is None) == (before.alpha is None), outcome.path.name
    if before.alpha is not None and after.alpha is not None:
        assert np.array_equal(after.alpha[outside], before.alpha[outside]), outcome.path.name
    if before.icc is not None and before.icc[16:20] == (b"GRAY" if after.gray else b"RGB "):
        assert after.icc == before.icc, outcome.path.name


def run(paths: list[Path], services: Services, capsys: pytest.CaptureFixture[str]) -> None:
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda path: erase(path, services), paths))
    found, left = sum(outcome.found for outcome in outcomes), sum(outcome.left for outcome in outcomes)
    with capsys.disabled():
        for outcome in outcomes:
            if outcome.left:
                sys.stdout.write(f"\n  {outcome.path.name}: {outcome.left} of {outcome.found} regions still readable")
        sys.stdout.write(f"\n  {len(outcomes)} pictures, {found} regions, {1 - left / found:.1%} no longer readable\n")
    for outcome in outcomes:
        check(outcome)
    assert 1 - left / found >= GONE_AT_LEAST


def test_the_text_of_the_examples_is_gone_and_the_rest_untouched(
    services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    run(examples(), services, capsys)


def test_the_text_of_the_test_set_is_gone_and_the_rest_untouched(
    services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = all_test_pictures()
    if not paths:
        pytest.skip("the test set is not here")
    run(paths, services, capsys)
