"""Where jobs and their events are kept: the one seam to a database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cleanplate.contract.messages import Event
from cleanplate.runtime.jobs import Change, Job, NewJob, State

__all__ = ["JobStore"]


class JobStore(Protocol):
    """Jobs and their event log. Every method is one transaction; all are blocking and safe to call from any thread.

    All raise StoreBusy when the database is locked or away, and StorageFull when it cannot grow.
    """

    def submit(self, new: NewJob, queue_limit: int, then: Sequence[NewJob] = ()) -> tuple[Job, bool]:
        """Add a job, and others in the same transaction, or find the one that this id already has.

        Returns:
            The job, and whether it is new.

        Raises:
            IdConflict: the id belongs to a different request.
            QueueFull: `queue_limit` jobs of this kind wait already.
        """

    def get(self, job_id: str) -> Job:
        """Return the job. Raises NotFound, or Expired for one that was here and is past its retention."""

    def list_jobs(
        self, *, kind: str, owner: str | None, states: Sequence[State], before: tuple[float, str] | None, limit: int
    ) -> list[Job]:
        """Return jobs, newest first; `before` is the (created_at, id) of the last one of the page before."""

    def counts(self, kind: str, owner: str | None = None) -> dict[State, int]:
        """Return how many jobs of the kind, of one owner or of all, are in each state."""

    def waiting_since(self, kind: str) -> float | None:
        """Return when the oldest job of the kind that could be begun was submitted; None when none waits."""

    def position(self, job: Job) -> int:
        """Return how many queued jobs are ahead of this one, 0 when it is next or no longer waits."""

    def claim(
        self,
        kinds: Sequence[str],
        worker: str,
        lease_s: float,
        crash_limit: int,
        *,
        alone: bool = True,
        job_id: str | None = None,
    ) -> Job | None:
        """Take the next job that waits, or whose worker let its lease expire; None when there is none.

        With a `job_id` it is that one or none.

        A job whose worker died `crash_limit` times without a checkpoint in between fails instead. One that was there
        at `SUSPECT` deaths is given only to a worker that is `alone` with it, and after each further death not at once
        but after some leases, each time twice as many.
        """

    def claimable(self, kind: str, limit: int) -> list[tuple[str, int, int]]:
        """Return (id, seq, priority) of jobs that could be claimed now, the next first."""

    def renew(self, job_id: str, attempt: int, lease_s: float) -> None:
        """Extend the lease. Raises LeaseLost."""

    def record(
        self, job_id: str, change: Change, attempt: int | None = None, then: Sequence[NewJob] = ()
    ) -> tuple[Job, Event]:
        """Append to the log and change the job with it.

        Args:
            job_id: the job.
            change: the event, and what changes.
            attempt: the writer's attempt; None for a client's own wish, such as cancel.
            then: jobs to add in the same transaction.

        Raises:
            LeaseLost: the job is not running under this attempt any more.
            Finished: the job has ended, or its state does not allow the change.
            NotFound: there is no such job.
        """

    def events(self, job_id: str, after: int, limit: int) -> list[Event]:
        """Return the job's events with a `seq` over `after`, in order."""

    def look(self, job_id: str, after: int, limit: int) -> tuple[list[Event], bool]:
        """Return what `events` does, and whether that is the end: the job has ended, and they go up to its newest.

        Raises:
            NotFound: there is no such job.
            Expired: it was here, and is past its retention.
        """

    def events_of_all(self, kind: str, owner: str | None, after: int, limit: int) -> list[Event]:
        """Return events of all jobs of the kind with a `position` over `after`, in order."""

    def last_position(self) -> int:
        """Return the `position` of the newest event of all."""

    def cursor(self, reader: str) -> int:
        """Return the `position` up to which this reader, whose name has at most 64 characters, was told; 0: nothing."""

    def move_cursor(self, reader: str, position: int) -> None:
        """Keep that the reader was told of everything up to this `position`; never goes back."""

    def unknown(self, job_ids: Sequence[str]) -> set[str]:
        """Return those ids that no job has."""

    def expired(self, finished_before: float, limit: int) -> list[str]:
        """Return ids of ended jobs that finished before that time."""

    def unmeasured(self, limit: int) -> list[tuple[str, int]]:
        """Return (id, seq) of ended jobs of whose files it is not known how much room they take."""

    def measure(self, job_id: str, seq: int, files_bytes: int) -> None:
        """Keep how much room an ended job's files take, unless something has been recorded after this `seq`."""

    def surplus(self, limit_bytes: int, finished_before: float, limit: int) -> list[str]:
        """Return ids of the oldest ended jobs: those whose files do not fit together with those of all newer ones.

        Only of jobs that finished before that time, and have files.
        """

    def forget(self, job_id: str) -> None:
        """Remove the job and its events, keeping only that it was here."""

    def prune(self, removed_before: float) -> None:
        """Let go of the ids of jobs that were removed, and the cursors that were moved last, before that time."""

    def check(self) -> None:
        """Raise if the store does not answer."""

    def close(self) -> None:
        """Let go of all connections."""
