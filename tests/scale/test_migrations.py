"""A store on PostgreSQL is taken over like any other."""

from __future__ import annotations

from tests.promises.test_migrations import *  # noqa: F403 - the same tests
