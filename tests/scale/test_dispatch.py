"""On PostgreSQL, and by Celery too, jobs are run as every dispatcher promises."""

from __future__ import annotations

from tests.promises.test_dispatch import *  # noqa: F403 - the same tests
