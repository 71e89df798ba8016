"""A job that another process takes from the broker is in the trace of its submit."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.collector import FakeCollector
from tests.scale.crews import Crew
from tests.scale.servers import Postgres, Redis
from tests.wires.pictures import order


def test_a_workers_job_is_in_the_trace_of_its_submit(postgres: Postgres, redis: Redis, tmp_path: Path) -> None:
    settings = {"IOPAINT_MODEL": "auto"}
    with FakeCollector() as fake:
        settings["INPAINT_OTLP_ENDPOINT"] = fake.url
        with Crew("inpaint_service", 1, postgres, redis, tmp_path, **settings) as crew:
            crew.replicas[0].post("/api/v1/inpaint-regions-async", json=order(task_id="traced"))
            assert crew.ended("traced") == "completed"
            spans = fake.until(
                lambda spans: {"job inpaint", "POST /api/v1/inpaint-regions-async"} <= {span.name for span in spans}
            )
    submit = next(span for span in spans if span.name == "POST /api/v1/inpaint-regions-async")
    job = next(span for span in spans if span.name == "job inpaint")
    assert (job.trace, job.parent) == (submit.trace, submit.id)
    assert job.instance != submit.instance
