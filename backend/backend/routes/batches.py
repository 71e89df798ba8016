"""Batches over HTTP: how far their jobs are, and all results in one archive."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from backend.archives import archive
from backend.batches import Batches, all_ended, batch_view
from backend.deliveries import Deliveries
from cleanplate.contract.problems import NotReady
from cleanplate.runtime.access import Owner
from cleanplate.runtime.jobs import State
from cleanplate.runtime.openapi import answers


class BatchRoutes:
    """The routes of `router`, with what they need."""

    def __init__(self, batches: Batches, deliveries: Deliveries):
        self._batches = batches
        self._deliveries = deliveries
        self.router = APIRouter(prefix="/api/v1/batches/{batch_id}", tags=["batches"])
        self.router.add_api_route("", self.read, methods=["GET"])
        self.router.add_api_route(
            "/result", self.result, methods=["GET"], response_class=StreamingResponse,
            responses=answers("application/zip", description="The results"),
        )  # fmt: skip

    async def read(self, batch_id: str, owner: Owner) -> dict[str, Any]:
        """Say how many of the batch's jobs are in each state."""
        batch = await self._batches.get(batch_id, owner)
        return batch_view(batch, await self._batches.members(batch))

    async def result(self, batch_id: str, owner: Owner) -> StreamingResponse:
        """Return the results of the batch's jobs in a ZIP archive; 409 until all have ended."""
        batch = await self._batches.get(batch_id, owner)
        members = await self._batches.members(batch)
        if not all_ended(members):
            raise NotReady("its jobs have not all ended", **batch_view(batch, members)["counts"])
        done = [job for job in members if job is not None and job.state is State.SUCCEEDED]
        done = [job for job in done if not (job.result or {}).get("dry_run")]
        if not done:
            raise NotReady("none of its jobs has a result", **batch_view(batch, members)["counts"])
        headers = {"Content-Disposition": f'attachment; filename="{batch.id}.zip"'}
        return StreamingResponse(archive(done, self._deliveries), media_type="application/zip", headers=headers)
