"""From a request to a job in the queue: read, fetched where it names a URL, checked, and counted against the quota."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from fastapi import Request
from yarl import URL

from backend import expiry, patterns
from backend.intake import Intake, read_intake
from backend.presets import Presets
from backend.quotas import Quota
from backend.settings import BackendSettings
from cleanplate.contract.problems import Invalid
from cleanplate.runtime import callbacks
from cleanplate.runtime.board import Board
from cleanplate.runtime.bodies import File, Upload, read_upload
from cleanplate.runtime.jobs import Change, Job, State, new_id
from cleanplate.runtime.outbound import Outbound


class Submissions:
    """Puts jobs into the queue."""

    def __init__(self, board: Board, outbound: Outbound, settings: BackendSettings, presets: Presets):
        self._board = board
        self._outbound = outbound
        self._settings = settings
        self._presets = presets
        self._quota = Quota(board, settings.key_quota)

    async def submit(self, request: Request, owner: str, key: str | None) -> Job:
        """Return the job of a request, or the one that its idempotency key found."""
        upload = await read_upload(request, self._settings.body_timeout_s, packed=())
        if "url" in upload.fields:
            upload = await self._fetched(upload)
        intake = await asyncio.to_thread(read_intake, upload, self._settings.picture_limits(), self._presets)
        await asyncio.to_thread(patterns.found, intake.options.patterns(), ())
        return await self.add(intake, owner, key)

    async def add(self, intake: Intake, owner: str, key: str | None) -> Job:
        """Return the job of what was read, with what is promised about it in the same transaction."""
        ttl, callback_url = intake.options.ttl, intake.options.callback_url
        if ttl is not None and ttl > self._settings.retention_s:
            raise Invalid("is longer than jobs are kept here", field="options.ttl", limit=self._settings.retention_s)
        if callback_url is not None:
            self._outbound.check(str(callback_url), "options.callback_url")
        new = await asyncio.to_thread(intake.new_job, owner, key)
        then = [] if ttl is None else [expiry.promise(new)]
        if callback_url is not None:  # an id of its own: the promise may be kept for longer than the job
            then.append(replace(callbacks.promise(new, str(callback_url)), id=new_id()))
        async with self._quota.place(owner, new.id):
            job, _ = await self._board.submit(new, intake.files(), then)
        return job

    async def retry(self, job: Job) -> Job:
        """Return a failed job that was queued again; it goes on after the last step that was done."""
        async with self._quota.place(job.owner):
            change = Change("retried", state=State.QUEUED, checkpoint={"task": None, "after": 0})
            job, _ = await self._board.record(job.id, change)
        return job

    async def _fetched(self, upload: Upload) -> Upload:
        """Return the body with the picture that its `url` leads to in place of that."""
        fields = {name: value for name, value in upload.fields.items() if name != "url"}
        url = upload.fields["url"]
        if upload.files or "image" in fields or not isinstance(url, str):
            raise Invalid("send either one URL or one picture", field="url")
        limits = self._settings.max_file_size, self._settings.fetch_timeout_s
        data = await self._outbound.fetch(url, limit_bytes=limits[0], timeout_s=limits[1])
        return replace(upload, fields=fields, files={"file": [File(URL(url).name or "image", data)]})
