"""Editing the regions of a job, and repainting its picture by them in a job of its own, without OCR."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from backend.artifacts import INPUT, REGIONS
from backend.artifacts import edited as edited_name
from backend.choices import Choices
from backend.edits import Edit, edited
from backend.intake import Intake
from backend.options import CHOOSING, Options
from backend.presets import Presets, applied
from cleanplate.contract.problems import Invalid, NotReady
from cleanplate.runtime.board import Board
from cleanplate.runtime.jobs import Change, Job


class Reruns:
    """What becomes of the regions of jobs that were detected."""

    def __init__(self, board: Board, presets: Presets):
        self._board = board
        self._presets = presets

    async def edit(self, job: Job, edit: Edit) -> Choices:
        """Keep the regions as a client wants them for the next rerun; the job itself stays as it is.

        Raises:
            NotReady: the text is not found yet.
            Invalid: see `edited`.
            Expired: the regions were removed.
        """
        found, last = await self._regions(job, REGIONS), await self._regions(job)
        wanted = await asyncio.to_thread(edited, found, last, edit)
        data = wanted.model_dump_json().encode()
        name = edited_name(hashlib.sha256(data).hexdigest())
        await self._board.call(self._board.files.put, job.id, name, data)
        told = {"regions": len(wanted.regions), "enabled": len(wanted.chosen())}
        await self._board.record(job.id, Change("regions_edited", told, checkpoint={"edited": name}))
        return wanted

    async def intake(self, job: Job, given: dict[str, Any]) -> Intake:
        """Return what a rerun is submitted from: the job's picture, its regions as edited, and other options.

        Raises:
            NotReady: the text is not found yet.
            Invalid: an option is not known, out of range, or chooses regions, which the regions say themselves.
            Expired: the picture was removed.
        """
        wishes = applied(self._presets, given)
        if choosing := CHOOSING & wishes.keys():
            raise Invalid("a rerun erases the regions that are enabled", field=f"options.{min(choosing)}")
        options = Options.model_validate({**job.params["options"], "dry_run": False, **wishes})
        regions = (await self._regions(job)).model_dump_json().encode()
        image = await self._board.call(self._board.files.get, job.id, f"{job.digest[:16]}.{INPUT}")
        return Intake(image, options, job.params["name"], regions, job.id)

    async def _regions(self, job: Job, name: str | None = None) -> Choices:
        if "detected" not in job.checkpoint:
            raise NotReady(f"the job is {job.state.value}", state=job.state.value)
        kept = name or job.checkpoint.get("edited", REGIONS)
        return Choices.model_validate_json(await self._board.call(self._board.files.get, job.id, kept))
