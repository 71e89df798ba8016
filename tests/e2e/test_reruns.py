"""A client looks at what was found, changes it, and has that repainted."""

from __future__ import annotations

import numpy as np
import pytest
import requests

from backend.cli.services import Services
from cleanplate.runtime.images import PictureLimits, decode
from tests.e2e.conftest import examples
from tests.e2e.jobs import PATIENCE_S, Job, submit

LIMITS = PictureLimits(0, 0, 0)

pytestmark = pytest.mark.timeout(300)


def test_what_is_switched_off_stays_and_what_was_added_is_repainted(services: Services) -> None:
    data = examples()[0].read_bytes()
    first = submit(services.urls["backend"], data, dry_run=True)
    assert first.end()["status"] == "succeeded"
    off, *others = first.regions()
    added = {"box": {"x": 3, "y": 3, "width": 20, "height": 12}}
    wanted = {"regions": [{**off, "enabled": False}, *others, added]}
    assert requests.put(first.path("/regions"), json=wanted, timeout=PATIENCE_S).status_code == 200
    answer = requests.post(first.path("/rerun"), timeout=PATIENCE_S)
    again = Job(first.backend, answer.json()["job_id"])
    view = again.end()
    assert view["status"] == "succeeded", view["error"]
    assert [region["id"] for region in view["result"]["regions"]] == [*(region["id"] for region in others), "added-1"]
    before, after = decode(data, LIMITS).rgb, decode(again.file("result"), LIMITS).rgb
    mask = decode(again.file("mask"), LIMITS).rgb[:, :, 0] > 0
    assert np.array_equal(before[~mask], after[~mask])
    assert mask[9, 13]
    middle = off["box"]["x"] + off["box"]["width"] / 2, off["box"]["y"] + off["box"]["height"] / 2
    assert not mask[int(middle[1]), int(middle[0])]
