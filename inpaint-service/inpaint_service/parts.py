"""The parts of the running service, made once and handed to its routes."""

from __future__ import annotations

from dataclasses import dataclass

from cleanplate.contract.problems import EngineUnavailable
from cleanplate.runtime.board import Board
from cleanplate.runtime.lane import Lane
from cleanplate.runtime.links import Links
from cleanplate.runtime.outbound import Outbound
from inpaint_service.erase import Eraser
from inpaint_service.loads import Loads
from inpaint_service.models import Models
from inpaint_service.settings import InpaintSettings
from inpaint_service.tasks import Pace


@dataclass(frozen=True)
class Parts:
    """What the routes work with."""

    settings: InpaintSettings
    models: Models
    loads: Loads
    eraser: Eraser
    lane: Lane
    board: Board
    promises: Board
    links: Links
    outbound: Outbound
    pace: Pace

    async def model_ready(self) -> str:
        """Return which model works, or will when it is called for, and where. Raises EngineUnavailable without any."""
        if not self.models.started or self.models.state == "error":
            raise EngineUnavailable(f"the model is {self.models.state}")
        fallback = f", instead of {self.settings.model}: {self.models.fallback}" if self.models.fallback else ""
        return f"{self.models.name} on {self.models.view()['device']}{fallback}"

    async def store_answers(self) -> str:
        """Return that the store answers, or raise what it raises."""
        await self.board.call(self.board.store.check)
        return "answers"
