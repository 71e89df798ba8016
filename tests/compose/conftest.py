"""The images, built once, and the three containers."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.compose.project import Project, compose
from tests.conftest import ROOT


@pytest.fixture(scope="session")
def images() -> None:
    """The images of this checkout; that there is no Docker is a failure in CI only."""
    try:
        compose()
    except FileNotFoundError as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    Project(ROOT, "cleanplate-test").build()


@pytest.fixture(scope="session")
def scale_images(images: None) -> None:
    """The images with what PostgreSQL, Redis and Celery need."""
    Project(ROOT, "cleanplate-test", overlays=["scale.yaml"]).build()


@pytest.fixture(scope="session")
def project(images: None) -> Iterator[Project]:
    """The containers that the tests share, with leases so short that a test need not wait long."""
    with Project(ROOT, "cleanplate-test", {"BACKEND_LEASE_S": "2", "INPAINT_LEASE_S": "2"}) as running:
        yield running
