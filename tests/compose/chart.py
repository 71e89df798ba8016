"""Render the Helm chart with the values on stdin, and check every object; runs in an environment of its own.

Prints as JSON the objects, and what Helm or the schemas of Kubernetes have against them.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import helm_python  # type: ignore[import-not-found]
import kubernetes_validate  # type: ignore[import-not-found]
import yaml

LOWEST, NEWEST = "1.25", kubernetes_validate.latest_version()
WARNING = 2
FOREIGN = {"PodMonitor", "ServiceMonitor"}  # the Prometheus operator's; Kubernetes has no schema for it


def rendered(folder: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return the objects and the complaints."""
    findings = [item["error"] for item in helm_python.lint(folder, values)["messages"] if item["severity"] >= WARNING]
    with helm_python.Chart.load(folder) as chart:
        try:
            files = chart.render(values, name="demo", namespace="prod")
        except helm_python.HelmError as error:
            return {"objects": [], "notes": "", "complaints": [*findings, str(error)]}
    texts = [text for name, text in files.items() if name.endswith(".yaml")]
    objects = [made for text in texts for made in yaml.safe_load_all(text) if made]
    complaints = [complaint for made in objects for complaint in against(made)]
    notes = next(text for name, text in files.items() if name.endswith("NOTES.txt"))
    return {"objects": objects, "notes": notes, "complaints": findings + complaints}


def against(made: dict[str, Any]) -> list[str]:
    """Return what the schemas of Kubernetes have against an object; unknown fields count."""
    if made["kind"] in FOREIGN:
        return []
    complaints = []
    for version in (LOWEST, NEWEST):
        try:
            kubernetes_validate.validate(made, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            complaints.append(f"{made['kind']} {made['metadata']['name']} for {version}: {error.message}")
    return complaints


if __name__ == "__main__":
    print(json.dumps(rendered(sys.argv[1], json.load(sys.stdin))))  # noqa: T201
