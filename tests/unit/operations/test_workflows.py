"""The workflows name what is there, and take no action whose version may change by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml


@pytest.fixture
def workflows(root: Path) -> dict[str, dict[str, Any]]:
    return {path.name: yaml.safe_load(path.read_text()) for path in (root / ".github" / "workflows").glob("*.yml")}


def steps(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


def test_actions_are_pinned_and_jobs_end(workflows: dict[str, dict[str, Any]]) -> None:
    assert workflows.keys() == {"ci.yml", "images.yml"}
    for workflow in workflows.values():
        assert workflow["permissions"] == {"contents": "read"}
        assert all(job["timeout-minutes"] for job in workflow["jobs"].values())
        for step in steps(workflow):
            assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+\.\d+\.\d+", step.get("uses", "a/b@v1.1.1"))


def test_what_is_run_is_the_projects_own_command(root: Path, workflows: dict[str, dict[str, Any]]) -> None:
    runs = [step["run"] for step in steps(workflows["ci.yml"]) if "run" in step]
    assert {"./cleanplate test", "./cleanplate test --compose"} <= set(runs)
    assert (root / "cleanplate").stat().st_mode & 0o100


def test_the_images_are_those_of_compose(root: Path, workflows: dict[str, dict[str, Any]]) -> None:
    job = workflows["images.yml"]["jobs"]["image"]
    build = next(step["with"] for step in job["steps"] if "build-push" in step.get("uses", ""))
    known = re.findall(r"^ARG (\w+)", (root / build["file"]).read_text(), re.MULTILINE)
    assert set(re.findall(r"^(\w+)=", build["build-args"], re.MULTILINE)) <= set(known)
    services = yaml.safe_load((root / "compose" / "compose.yaml").read_text())["services"]
    ports = {name: service["build"]["args"]["PORT"] for name, service in services.items()}
    assert {row["service"]: str(row["port"]) for row in job["strategy"]["matrix"]["include"]} == ports


def test_the_image_for_a_gpu_has_the_tag_that_the_chart_asks_for(
    root: Path, workflows: dict[str, dict[str, Any]]
) -> None:
    rows = workflows["images.yml"]["jobs"]["image"]["strategy"]["matrix"]["include"]
    assert all(("suffix" in row) == ("cuda" in row) for row in rows)
    suffixes = {row["service"]: row["suffix"] for row in rows if "suffix" in row}
    values = yaml.safe_load((root / "compose" / "helm" / "cleanplate" / "values.yaml").read_text())
    assert suffixes == {"inpaint-service": values["inpaint"]["gpu"]["tagSuffix"]}
