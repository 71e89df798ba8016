"""From a request to a job in the queue: read, fetched where it names a URL, checked, and counted against the quota."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from fastapi import Request
from yarl import URL

from backend import expiry, patterns
from backend.batches import Batches, batch_id
from backend.intake import URL_FIELD, Intake, read_intakes
from backend.parts import reached
from backend.presets import Presets
from backend.quotas import Quota
from backend.settings import BackendSettings
from backend.sheets import reopened
from cleanplate.contract.problems import Finished, Invalid
from cleanplate.runtime import callbacks
from cleanplate.runtime.board import Board
from cleanplate.runtime.bodies import File, Upload, read_upload
from cleanplate.runtime.jobs import Change, Job, NewJob, State
from cleanplate.runtime.outbound import Outbound


class Submissions:
    """Puts jobs into the queue."""

    def __init__(self, board: Board, batches: Batches, outbound: Outbound, settings: BackendSettings, presets: Presets):
        self._board = board
        self._batches = batches
        self._outbound = outbound
        self._settings = settings
        self._presets = presets
        self._quota = Quota(board, settings.key_quota)

    async def read(self, request: Request) -> list[Intake]:
        """Return what a request wants erased: one file, or those of a batch."""
        upload = await read_upload(request, self._settings.body_timeout_s, packed=())
        if "url" in upload.fields:
            upload = await self._fetched(upload)
        limits, most = self._settings.paper_limits(), self._settings.batch_limit
        intakes = await asyncio.to_thread(read_intakes, upload, limits, self._presets, most)
        await asyncio.to_thread(patterns.found, intakes[0].options.patterns(), ())
        return intakes

    async def add(self, intake: Intake, owner: str, key: str | None) -> Job:
        """Return the job of what was read, with what is promised about it in the same transaction."""
        self._check(intake)
        new = await asyncio.to_thread(intake.new_job, owner, key)
        async with self._quota.place(owner, new.id):
            job, _ = await self._board.submit(new, intake.files(), _promises(new, intake))
        return job

    async def add_batch(self, intakes: Sequence[Intake], owner: str, key: str | None) -> tuple[Job, list[Job]]:
        """Return the batch of what was read, and its jobs, or those that its idempotency key found: all or none."""
        self._check(intakes[0])  # they have their options in common
        members = [await asyncio.to_thread(intake.new_job, owner, None) for intake in intakes]
        then = [promise for each in zip(members, intakes, strict=True) for promise in _promises(*each)]
        files, batch = [intake.files() for intake in intakes], batch_id(key, owner)
        async with self._quota.place(owner, batch, len(members)):
            return await self._batches.submit(members, files, then, owner, batch)

    async def retry(self, job: Job) -> Job:
        """Return a job that was queued again; it goes on after the last step that was done.

        Its callback is promised anew: each end is told.

        Raises:
            Finished: nothing of it has failed.
        """
        failed = (job.result or {}).get("failed_pages", [])
        if job.state is not State.FAILED and not (job.state is State.SUCCEEDED and failed):
            told = f"the job is {job.state.value}; what can be retried has failed, or has pages that failed"
            raise Finished(told, state=job.state.value)
        callback_url = job.params["options"].get("callback_url")
        then = [] if callback_url is None else [callbacks.promise(job, callback_url)]
        async with self._quota.place(job.owner):
            checkpoint = reopened(job.checkpoint)
            progress = reached(replace(job, checkpoint={**job.checkpoint, **checkpoint}))
            queued = State.QUEUED
            change = Change("retried", state=queued, stage=queued.value, progress=progress, checkpoint=checkpoint)
            job, _ = await self._board.record(job.id, change, then=then)
        return job

    def _check(self, intake: Intake) -> None:
        ttl, callback_url = intake.options.ttl, intake.options.callback_url
        if ttl is not None and ttl > self._settings.retention_s:
            raise Invalid("is longer than jobs are kept here", field="options.ttl", limit=self._settings.retention_s)
        if callback_url is not None:
            self._outbound.check(str(callback_url), "options.callback_url")

    async def _fetched(self, upload: Upload) -> Upload:
        """Return the body with the picture that its `url` leads to in place of that."""
        fields = {name: value for name, value in upload.fields.items() if name != "url"}
        url = upload.fields["url"]
        if upload.files or "image" in fields or not isinstance(url, str):
            raise Invalid("send either one URL or one picture", field="url")
        limits = self._settings.max_file_size, self._settings.fetch_timeout_s
        data = await self._outbound.fetch(url, limit_bytes=limits[0], timeout_s=limits[1])
        return replace(upload, fields=fields, files={URL_FIELD: [File(URL(url).name or "image", data)]})


def _promises(new: NewJob, intake: Intake) -> list[NewJob]:
    """Return the jobs that are promised with one, to be submitted in the same transaction."""
    ttl, callback_url = intake.options.ttl, intake.options.callback_url
    promised = [] if ttl is None else [expiry.promise(new)]
    if callback_url is not None:
        promised.append(callbacks.promise(new, str(callback_url)))
    return promised
