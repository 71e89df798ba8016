"""Prometheus' own tool on what Prometheus is given. It comes with Debian's package `prometheus`."""

from __future__ import annotations

import pytest
import yaml

from tests.compose.project import Project, output
from tests.conftest import ROOT

FOLDER = ROOT / "compose" / "monitoring"


@pytest.mark.parametrize(
    "check",
    [("check", "config", "prometheus.yml"), ("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")],
    ids=" ".join,
)
def test_promtool_has_nothing_against_it(check: tuple[str, str, str]) -> None:
    output("promtool", *check[:2], str(FOLDER / check[2]))


def test_the_overlay_goes_on_top_of_the_three_services(images: None) -> None:
    project = Project(ROOT, "cleanplate-test", {"GRAFANA_PASSWORD": "secret"})
    merged = project.compose("--file", str(ROOT / "compose" / "monitoring.yaml"), "config")
    assert {"backend", "prometheus", "tempo", "grafana"} <= yaml.safe_load(merged)["services"].keys()
