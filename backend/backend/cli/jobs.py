"""`cleanplate jobs`, `watch`, `cancel` and `retry`: the jobs of a backend that runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice
from typing import Literal

from backend.cli.bars import Bars
from backend.cli.steps import Step
from backend.cli.terminal import Terminal, shown
from cleanplate.client import Client, ClientError, Event, View
from cleanplate.client.views import Status


def list_jobs(client: Client, status: Status | None, limit: int, terminal: Terminal) -> bool:
    """Give the newest jobs. Blocking; raises ClientError."""
    for job in islice(client.jobs(status), limit):
        terminal.result(_line(job.view), dict(job.view))
    return True


def watch(client: Client, job_id: str, terminal: Terminal) -> bool:
    """Give a job's events from the first to the last, and return whether it succeeded. Blocking; raises ClientError."""
    job = client.job(job_id)
    with Bars(terminal, 1) as bars:
        bar = bars.begin(shown(job.view.get("name") or job.id))
        for event in job.events():
            bars.step(bar, Step.of(event))
            terminal.result(_told(event), asdict(event))
    view = job.wait()
    if view["status"] != "succeeded":
        error = view.get("error") or {}
        terminal.fault(f"job {job.id}: {error.get('detail') or f'was {job.status}'}")
    return view["status"] == "succeeded"


def change(client: Client, verb: Literal["cancel", "retry"], job_ids: Sequence[str], terminal: Terminal) -> bool:
    """Cancel or retry jobs, and return whether that could be done with each. Blocking."""
    well = True
    for job_id in job_ids:
        try:
            view = getattr(client.job(job_id), verb)()
        except ClientError as error:
            well = False
            terminal.fault(f"job {job_id}: {error}")
        else:
            terminal.result(_line(view), dict(view))
    return well


def _line(view: View) -> str:
    share, at, name = view.get("progress") or 0.0, view.get("created_at") or "", view.get("name") or ""
    return f"{view['job_id']}  {view['status']:<9}  {share:4.0%}  {at[:19]:<19}  {shown(name)}".rstrip()


def _told(event: Event) -> str:
    share = "" if event.progress is None else f"{event.progress:.0%}"
    return f"{event.at}  {share:>4}  {event.type:<12}  {Step.of(event).message}".rstrip()
