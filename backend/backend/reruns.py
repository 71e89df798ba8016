"""Editing the regions of a job, and repainting its picture or pages by them in a job of its own, without OCR."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import Any

from backend.artifacts import INPUT, REGIONS
from backend.artifacts import edited as edited_name
from backend.choices import Choices
from backend.edits import Edit, edited
from backend.intake import Intake, checked, options_of
from backend.options import CHOOSING
from backend.papers import PaperLimits
from backend.parts import Part
from backend.presets import Presets, applied
from cleanplate.contract.problems import Invalid, NotReady
from cleanplate.runtime.board import Board
from cleanplate.runtime.jobs import Change, Job


class Reruns:
    """What becomes of the regions of jobs that were detected."""

    def __init__(self, board: Board, presets: Presets, limits: PaperLimits):
        self._board = board
        self._presets = presets
        self._limits = limits

    async def edit(self, part: Part, edit: Edit) -> Choices:
        """Keep the regions as a client wants them for the next rerun; the job itself stays as it is.

        Raises:
            NotReady: the text is not found yet.
            Invalid: see `edited`.
            Expired: the regions were removed.
        """
        found, last = await self._regions(part, part.name(REGIONS)), await self._regions(part)
        wanted = await asyncio.to_thread(edited, found, last, edit)
        data = wanted.model_dump_json().encode()
        name = part.name(edited_name(hashlib.sha256(data).hexdigest()))
        await self._board.call(self._board.files.put, part.job.id, name, data)
        told = {"page": part.number or 1, "regions": len(wanted.regions), "enabled": len(wanted.chosen())}
        await self._board.record(part.job.id, Change("regions_edited", told, checkpoint={part.edited_key: name}))
        return wanted

    async def intake(self, job: Job, given: dict[str, Any]) -> Intake:
        """Return what a rerun is submitted from: the job's file, its regions as edited, and other options.

        Raises:
            NotReady: the text is not found yet.
            Invalid: an option is not known, out of range, or chooses regions, which the regions say themselves.
            Expired: the picture was removed.
        """
        wishes = applied(self._presets, given)
        if choosing := CHOOSING & wishes.keys():
            raise Invalid("a rerun erases the regions that are enabled", field=f"options.{min(choosing)}")
        options = options_of({**job.params["options"], "dry_run": False, **wishes})
        data = await self._board.call(self._board.files.get, job.id, f"{job.digest[:16]}.{INPUT}")
        limits = replace(self._limits, dpi=(job.params.get("paper") or {}).get("dpi", self._limits.dpi))
        paper = await asyncio.to_thread(checked, data, options, limits)
        parts = [Part(job)] if paper is None else [Part(job, number) for number in paper.numbers]
        if paper is not None and job.final:  # the text of pages that had failed is looked for
            parts = [part for part in parts if part.found]
        regions = {part.name(REGIONS): (await self._regions(part)).model_dump_json().encode() for part in parts}
        return Intake(data, options, job.params["name"], regions, job.id, paper)

    async def _regions(self, part: Part, name: str | None = None) -> Choices:
        job = part.job
        if not part.found:
            raise NotReady(f"the job is {job.state.value}", state=job.state.value)
        return Choices.model_validate_json(
            await self._board.call(self._board.files.get, job.id, name or part.regions_file)
        )
