"""The Helm chart, rendered by Helm itself and checked against the schemas of Kubernetes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from backend.settings import BackendSettings
from cleanplate.runtime.settings import ServiceSettings
from inpaint_service.settings import InpaintSettings
from inpaint_service.tasks import KIND as INPAINT_KIND
from ocr_service.settings import OcrSettings
from tests.compose.project import SERVICES, output
from tests.conftest import ROOT

CHART = ROOT / "compose" / "helm" / "cleanplate"
INSTALL_TIMEOUT_S = 600.0
KNOWN: dict[str, type[ServiceSettings]] = {
    "backend": BackendSettings,
    "inpaint-service": InpaintSettings,
    "ocr-service": OcrSettings,
}
KEY = {"secrets": {"BACKEND_API_KEYS": "key"}}
SHARED = {"backend": {**KEY, "settings": {"BACKEND_STORE_URL": "postgresql://db/jobs", "BACKEND_FILES_URL": "s3://b"}}}

ADAPTER = CHART.parent / "prometheus-adapter.yaml"

Render = Callable[..., "Release"]


def on_servers(prefix: str) -> dict[str, Any]:
    """Return the values of a service whose jobs are run by workers."""
    urls = {"STORE_URL": "postgresql://db/jobs", "FILES_URL": "s3://b", "BROKER_URL": "redis://redis/1"}
    return {
        "settings": {f"{prefix}_{name}": url for name, url in urls.items()},
        "persistence": {"enabled": False},
    }


class Release:
    """What the chart makes of some values."""

    def __init__(self, made: dict[str, Any]):
        self.objects: list[dict[str, Any]] = made["objects"]
        self.complaints: list[str] = made["complaints"]
        self.notes: str = made["notes"]

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [made for made in self.objects if made["kind"] == kind]

    def one(self, kind: str, service: str = "") -> dict[str, Any]:
        found = [made for made in self.all(kind) if made["metadata"]["name"].endswith(service)]
        assert len(found) == 1, f"{len(found)} of {kind} {service}"
        return found[0]

    def pod(self, service: str) -> dict[str, Any]:
        spec: dict[str, Any] = self.one("Deployment", service)["spec"]["template"]["spec"]
        return spec


@pytest.fixture(scope="module")
def render(tmp_path_factory: pytest.TempPathFactory) -> Render:
    """Render the chart with these values; Helm is in an environment that is made for it."""
    folder = tmp_path_factory.mktemp("helm")
    output(sys.executable, "-m", "venv", str(folder))
    python, lock = str(folder / "bin" / "python"), str(Path(__file__).with_name("requirements.lock"))
    output(python, "-m", "pip", "install", "--quiet", "--no-deps", "-r", lock, limit_s=INSTALL_TIMEOUT_S)

    def made(**values: Any) -> Release:
        command = [python, str(Path(__file__).with_name("chart.py")), str(CHART)]
        done = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
        return Release(json.loads(done.stdout.splitlines()[-1]))

    return made


@pytest.fixture(scope="module")
def plain(render: Render) -> Release:
    return render(backend=KEY)


@pytest.fixture(scope="module")
def full(render: Render) -> Release:
    """Everything that can be switched on, and the volumes off."""
    scaled = {"autoscaling": {"enabled": True, "queuedJobs": 10}, "persistence": {"enabled": False}}
    return render(
        backend={**SHARED["backend"], **scaled, "existingSecret": "more"},
        inpaint={
            "gpu": {"enabled": True, "runtimeClassName": "nvidia"},
            "models": {"existingClaim": "weights"},
            "secrets": {"INPAINT_CALLBACK_SECRET": "s"},
            "nodeSelector": {"gpu": "yes"},
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
        },
        ocr={
            "settings": {"OCR_MAX_PIXELS": "150000000"},
            "persistence": {"existingClaim": "mine"},
            "models": {"existingClaim": "weights"},
        },
        ingress={"enabled": True, "className": "nginx", "host": "clean.example", "tlsSecret": "tls"},
        serviceMonitor={"enabled": True, "labels": {"release": "prometheus"}},
        networkPolicy={
            "scrapers": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
            "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}],
        },
        image={"pullSecrets": [{"name": "registry"}]},
    )


@pytest.fixture(scope="module")
def staffed(render: Render) -> Release:
    """Every service with workers, those of the inpaint-service on GPUs and as many as its queue asks for."""
    return render(
        backend={**on_servers("BACKEND"), **KEY, "worker": {"replicas": 3}},
        ocr={**on_servers("OCR"), "worker": {"resources": {"limits": {"memory": "6Gi"}}}},
        inpaint={
            **on_servers("INPAINT"),
            "gpu": {"enabled": True},
            "models": {"existingClaim": "weights"},
            "autoscaling": {"enabled": True, "queuedJobs": 10},
        },
    )


def test_neither_helm_nor_the_schemas_have_anything_against_it(plain: Release, full: Release, staffed: Release) -> None:
    assert (plain.complaints, full.complaints, staffed.complaints) == ([], [], [])
    assert [len(plain.all(kind)) for kind in ("Deployment", "Service", "PersistentVolumeClaim")] == [3, 3, 3]
    assert "demo-cleanplate-backend" in plain.notes


@pytest.mark.parametrize("service", SERVICES)
def test_a_pod_may_no_more_than_a_container_of_compose(plain: Release, service: str) -> None:
    pod = plain.pod(service)
    assert pod["enableServiceLinks"] is False
    assert pod["automountServiceAccountToken"] is False
    assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 10001)
    may = pod["containers"][0]["securityContext"]
    assert (may["allowPrivilegeEscalation"], may["readOnlyRootFilesystem"]) == (False, True)
    assert may["capabilities"] == {"drop": ["ALL"]}
    assert {mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]} == {"/data", "/tmp"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_services_address_is_its_pods(plain: Release, service: str) -> None:
    container, spec = plain.pod(service)["containers"][0], plain.one("Service", service)["spec"]
    assert spec["ports"][0]["port"] == container["ports"][0]["containerPort"]
    labels = plain.one("Deployment", service)["spec"]["template"]["metadata"]["labels"]
    assert spec["selector"].items() <= labels.items()
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_the_backend_finds_the_other_two(plain: Release) -> None:
    told = plain.one("ConfigMap", "backend")["data"]
    for variable, service in (("BACKEND_OCR_URL", "ocr-service"), ("BACKEND_INPAINT_URL", "inpaint-service")):
        found = plain.one("Service", service)
        assert told[variable] == f"http://{found['metadata']['name']}:{found['spec']['ports'][0]['port']}"


@pytest.mark.parametrize("service", SERVICES)
def test_every_variable_is_a_setting(full: Release, service: str) -> None:
    known = {name for name, _, _ in KNOWN[service].names()}
    assert full.one("ConfigMap", service)["data"].keys() <= known


def test_settings_are_told_as_they_were_written(full: Release) -> None:
    assert full.one("ConfigMap", "ocr-service")["data"]["OCR_MAX_PIXELS"] == "150000000"


def test_services_and_workers_are_scraped_each_once(full: Release, staffed: Release) -> None:
    of_services, of_workers = (full.one(kind)["spec"]["selector"] for kind in ("ServiceMonitor", "PodMonitor"))
    for service in SERVICES:
        assert of_services["matchLabels"].items() <= full.one("Service", service)["metadata"]["labels"].items()
    (named,) = of_workers["matchExpressions"]
    labels = [made["spec"]["template"]["metadata"]["labels"] for made in staffed.all("Deployment")]
    assert set(named["values"]) == {label[named["key"]] for label in labels} - set(SERVICES)
    assert all(of_workers["matchLabels"].items() <= label.items() for label in labels)


def test_only_the_backend_and_who_scrapes_reach_the_other_two(full: Release) -> None:
    policies = full.all("NetworkPolicy")
    assert len(policies) == 2
    for policy in policies:
        backend, scraper = policy["spec"]["ingress"][0]["from"]
        assert backend["podSelector"]["matchExpressions"][0]["values"] == ["backend", "backend-worker"]
        assert "namespaceSelector" in scraper


def test_a_gpu_is_asked_for_with_the_image_that_can_use_it(plain: Release, full: Release) -> None:
    container = full.pod("inpaint-service")["containers"][0]
    assert container["image"].endswith("-gpu")
    assert container["resources"]["limits"] == {"memory": "8Gi", "nvidia.com/gpu": 1}
    assert full.one("ConfigMap", "inpaint-service")["data"]["IOPAINT_DEVICE"] == "cuda"
    assert "nvidia.com/gpu" not in plain.pod("inpaint-service")["containers"][0]["resources"]["limits"]


def test_weights_are_mounted_where_the_service_looks_for_them(full: Release, staffed: Release) -> None:
    for service, variable in (("inpaint-service", "INPAINT_MODEL_DIR"), ("ocr-service", "OCR_MODELS")):
        (mount,) = (mount for mount in full.pod(service)["containers"][0]["volumeMounts"] if mount["name"] == "models")
        assert (mount["mountPath"], mount["readOnly"]) == (full.one("ConfigMap", service)["data"][variable], True)
    assert "models" not in {volume["name"] for volume in staffed.pod("ocr-service")["volumes"]}


def test_who_needs_no_key_may_call_by_the_ingresss_name(render: Render, plain: Release) -> None:
    anyone = {"backend": {"settings": {"BACKEND_ALLOW_ANONYMOUS": "true"}}}
    named = {"backend": {"settings": {**anyone["backend"]["settings"], "BACKEND_HOSTS": "other.example"}}}
    ingress = {"enabled": True, "host": "clean.example"}
    for values, hosts in ((anyone, "clean.example"), (named, "other.example")):
        assert render(**values, ingress=ingress).one("ConfigMap", "backend")["data"]["BACKEND_HOSTS"] == hosts
    assert "BACKEND_HOSTS" not in plain.one("ConfigMap", "backend")["data"]


def test_the_autoscaler_looks_at_the_processor_and_the_queue(full: Release) -> None:
    spec = full.one("HorizontalPodAutoscaler")["spec"]
    assert spec["scaleTargetRef"]["name"] == full.one("Deployment", "backend")["metadata"]["name"]
    assert [metric["type"] for metric in spec["metrics"]] == ["Resource", "External"]
    assert "replicas" not in full.one("Deployment", "backend")["spec"]


@pytest.mark.parametrize("service", SERVICES)
def test_workers_are_pods_of_the_service_that_are_asked_nothing(staffed: Release, service: str) -> None:
    pod, worker = staffed.pod(service), staffed.pod(f"{service}-worker")
    (own,), (its,) = pod["containers"], worker["containers"]
    assert its["command"] == ["python", "-P", "-m", service.replace("-", "_"), "worker"]
    for same in (
        "securityContext",
        "ports",
        "envFrom",
        "startupProbe",
        "livenessProbe",
        "readinessProbe",
        "volumeMounts",
    ):
        assert its[same] == own[same]
    assert worker["volumes"] == pod["volumes"]
    labels = staffed.one("Deployment", f"{service}-worker")["spec"]["template"]["metadata"]["labels"]
    assert not staffed.one("Service", service)["spec"]["selector"].items() <= labels.items()
    budget = staffed.one("PodDisruptionBudget", f"{service}-worker")["spec"]["selector"]["matchLabels"]
    assert budget.items() <= labels.items()


def test_there_are_as_many_workers_as_was_said_with_the_resources_that_were_said(staffed: Release) -> None:
    backend, ocr = (staffed.one("Deployment", f"{service}-worker")["spec"] for service in ("backend", "ocr-service"))
    assert (backend["replicas"], ocr["replicas"]) == (3, 2)
    assert staffed.pod("ocr-service-worker")["containers"][0]["resources"] == {"limits": {"memory": "6Gi"}}
    assert (
        staffed.pod("backend-worker")["containers"][0]["resources"]
        == staffed.pod("backend")["containers"][0]["resources"]
    )


def test_where_there_are_workers_they_have_the_gpus_and_are_scaled_by_the_queue(staffed: Release) -> None:
    service, worker = (staffed.pod(name)["containers"][0] for name in ("inpaint-service", "inpaint-service-worker"))
    assert worker["resources"]["limits"] == {"memory": "8Gi", "nvidia.com/gpu": 1}
    assert "nvidia.com/gpu" not in service["resources"]["limits"]
    assert service["env"] == [{"name": "IOPAINT_DEVICE", "value": "cpu"}]
    assert (worker["image"].endswith("-gpu"), service["image"].endswith("-gpu")) == (True, False)
    spec = staffed.one("HorizontalPodAutoscaler")["spec"]
    assert spec["scaleTargetRef"]["name"] == "demo-cleanplate-inpaint-service-worker"
    assert "replicas" not in staffed.one("Deployment", "inpaint-service-worker")["spec"]
    assert staffed.one("Deployment", "inpaint-service")["spec"]["replicas"] == 1


def test_a_worker_may_call_and_be_called_as_little_as_its_service(staffed: Release) -> None:
    for policy, service in zip(staffed.all("NetworkPolicy"), ("inpaint-service", "ocr-service"), strict=True):
        assert policy["spec"]["podSelector"]["matchExpressions"][0]["values"] == [service, f"{service}-worker"]


def test_the_autoscalers_metric_is_the_one_that_the_adapter_makes(staffed: Release) -> None:
    (rule,) = yaml.safe_load(ADAPTER.read_text())["rules"]["external"]
    (metric,) = [found["external"]["metric"] for found in staffed.one("HorizontalPodAutoscaler")["spec"]["metrics"][1:]]
    assert metric["name"] == rule["name"]["as"]
    grouped = re.search(r"by \((.*?)\)", rule["metricsQuery"])
    assert grouped is not None
    assert metric["selector"]["matchLabels"].keys() == set(grouped[1].split(", "))
    assert metric["selector"]["matchLabels"] == {"kind": INPAINT_KIND, "job": "inpaint-service"}


def test_a_broker_in_a_secret_of_ones_own_is_enough(render: Render) -> None:
    own = {"existingSecret": "mine", "worker": {"enabled": True}, "persistence": {"existingClaim": "shared"}}
    release = render(backend=own)
    assert release.complaints == []
    assert [made["metadata"]["name"] for made in release.all("Deployment")].count("demo-cleanplate-backend-worker") == 1


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "BACKEND_API_KEYS"),
        ({"backend": {**KEY, "replicas": 2}}, "BACKEND_STORE_URL"),
        ({"backend": KEY, "ocr": {"autoscaling": {"enabled": True}}}, "OCR_STORE_URL"),
        ({"backend": {**SHARED["backend"], "replicas": 2}}, "persistence"),
        ({"backend": {**KEY, "settings": {"BACKEND_SLOTS": 8}}}, "BACKEND_SLOTS"),
        ({"backend": KEY, "ocr": {"settings": {"OCR_BROKER_URL": "redis://redis/1"}}}, "OCR_STORE_URL"),
        ({"backend": KEY, "ocr": {"worker": {"enabled": True}}}, "OCR_BROKER_URL"),
        ({"backend": KEY, "inpaintt": {}}, "inpaintt"),
        ({"backend": {**KEY, "models": {"existingClaim": "weights"}}}, "/backend/models"),
        ({"backend": KEY, "ingress": {"enabled": True}}, "ingress.host"),
    ],
    ids=["nobody may call", "two on one database", "scaled on one database", "two on one volume", "a number",
         "workers on one database", "workers without a broker", "a misspelled name", "models of the backend",
         "an ingress without a host"],
)  # fmt: skip
def test_what_would_not_work_is_refused(render: Render, values: dict[str, Any], reason: str) -> None:
    release = render(**values)
    assert release.objects == []
    assert any(reason in complaint for complaint in release.complaints)
