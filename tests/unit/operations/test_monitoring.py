"""What Prometheus and Grafana ask for is what the services show."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from fastapi import FastAPI

from backend.app import make_app as make_backend
from backend.settings import BackendSettings
from inpaint_service.app import make_app as make_inpaint
from inpaint_service.settings import InpaintSettings
from ocr_service.app import make_app as make_ocr
from ocr_service.settings import OcrSettings

PORTS = {"backend": 8000, "ocr-service": 8082, "inpaint-service": 8081}
FOREIGN = {
    "up",  # Prometheus' own
    "DCGM_FI_DEV_FB_FREE", "DCGM_FI_DEV_GPU_UTIL",  # NVIDIA's exporter
    "gpu_memory_free_gb",  # where there is a GPU
    "memory_limit_bytes",  # in a container
}  # fmt: skip
WORDS = {"and", "or", "unless", "by", "on", "sum", "max", "le"}
PARTS = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> list[FastAPI]:
    data = tmp_path_factory.mktemp("data")
    return [
        make_backend(BackendSettings(data=data / "backend")),
        make_ocr(OcrSettings(data=data / "ocr")),
        make_inpaint(InpaintSettings(data=data / "inpaint")),
    ]


@pytest.fixture
async def shown(apps: list[FastAPI]) -> set[str]:
    """The names of all series that the services have, or will have when there is something to count."""
    names: set[str] = set()
    for app in apps:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
            text = (await http.get("/metrics")).text
        for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE):
            names |= {name.removesuffix("_total") + part for part in PARTS[kind]}
    return names


@pytest.fixture
def monitoring(root: Path) -> Path:
    return root / "compose" / "monitoring"


def alerts(monitoring: Path) -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load((monitoring / "alerts.yml").read_text())["groups"]:
        yield from group["rules"]


def panels(monitoring: Path) -> Iterator[dict[str, Any]]:
    yield from json.loads((monitoring / "grafana" / "dashboards" / "cleanplate.json").read_text())["panels"]


def series(query: str) -> set[str]:
    """Return the names of series in a query: what is no string, label, function, duration or number."""
    query = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(by|on) \([^)]*\)", " ", query)
    return set(re.findall(r"\b[a-zA-Z_]\w*\b(?!\s*\()", query)) - WORDS


async def test_every_alert_asks_for_what_the_services_show(shown: set[str], monitoring: Path) -> None:
    for alert in alerts(monitoring):
        asked = series(alert["expr"])
        assert asked, alert["alert"]
        assert asked <= shown | FOREIGN, alert["alert"]


async def test_every_panel_asks_for_what_the_services_show(shown: set[str], monitoring: Path) -> None:
    for panel in panels(monitoring):
        for target in panel["targets"]:
            asked = series(target["expr"])
            assert asked, panel["title"]
            assert asked <= shown | FOREIGN, panel["title"]


def test_panels_do_not_overlap(monitoring: Path) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels(monitoring):
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_every_alert_says_how_bad_it_is_and_what_to_look_at(monitoring: Path) -> None:
    for alert in alerts(monitoring):
        assert alert["labels"]["severity"] in {"warning", "critical"}
        assert alert["annotations"].keys() == {"summary", "description"}


def test_the_three_services_and_their_workers_are_scraped_at_their_ports(root: Path, monitoring: Path) -> None:
    jobs = yaml.safe_load((monitoring / "prometheus.yml").read_text())["scrape_configs"]
    found = {job["job_name"]: job["dns_sd_configs"] for job in jobs}
    assert found.keys() == PORTS.keys()
    services = yaml.safe_load((root / "compose" / "compose.yaml").read_text())["services"]
    scaled = yaml.safe_load((root / "compose" / "scale.yaml").read_text())["services"]
    for name, configs in found.items():
        workers = [worker for worker in scaled if worker == name.replace("service", "worker") != name]
        assert [config["names"] for config in configs] == [[name], *([worker] for worker in workers)]
        assert {config["port"] for config in configs} == {PORTS[name]}
        assert services[name]["build"]["args"]["PORT"] == str(PORTS[name])


def test_the_overlay_mounts_what_is_there(root: Path) -> None:
    services = yaml.safe_load((root / "compose" / "monitoring.yaml").read_text())["services"]
    mounted = [volume.split(":")[0] for service in services.values() for volume in service["volumes"]]
    assert all((root / "compose" / folder).is_dir() for folder in mounted if folder.startswith("./"))
    assert all(port.startswith("127.0.0.1:") for service in services.values() for port in service.get("ports", ()))


def test_grafana_looks_for_traces_where_tempo_has_them(monitoring: Path) -> None:
    port = yaml.safe_load((monitoring / "tempo.yml").read_text())["server"]["http_listen_port"]
    provisioned = monitoring / "grafana" / "provisioning" / "datasources" / "tempo.yml"
    [source] = yaml.safe_load(provisioned.read_text())["datasources"]
    assert source["url"] == f"http://tempo:{port}"
