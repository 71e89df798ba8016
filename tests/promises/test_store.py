"""What every job store promises."""

from __future__ import annotations

import threading

import pytest

from cleanplate.contract.problems import Expired, Finished, IdConflict, NotFound, QueueFull
from cleanplate.runtime.jobs import FINAL, TRANSITIONS, Change, Job, LeaseLost, NewJob, State
from cleanplate.runtime.store import JobStore
from tests.promises.conftest import Clock


def new(job_id: str = "a", digest: str = "d", **more: object) -> NewJob:
    return NewJob(job_id, "inpaint", {"n": 1}, digest, **more)  # type: ignore[arg-type]


def claim(store: JobStore, worker: str = "w", lease_s: float = 30.0, crash_limit: int = 3) -> Job | None:
    return store.claim(["inpaint"], worker, lease_s, crash_limit)


def claimed(store: JobStore, job_id: str = "a") -> Job:
    store.submit(new(job_id), 10)
    job = claim(store)
    assert job is not None
    return job


def test_a_submitted_job_waits_and_its_log_begins(store: JobStore) -> None:
    job, created = store.submit(new(), 10)
    assert (created, job.state, job.seq, job.params) == (True, State.QUEUED, 1, {"n": 1})
    assert [(event.seq, event.type) for event in store.events("a", 0, 10)] == [(1, "queued")]
    assert store.get("a") == job


def test_the_same_request_again_is_the_same_job(store: JobStore) -> None:
    store.submit(new(), 10)
    job, created = store.submit(new(), 10)
    assert (created, job.seq) == (False, 1)


@pytest.mark.parametrize("other", [new(digest="e"), new(owner="someone")])
def test_another_request_under_the_same_id_is_refused(store: JobStore, other: NewJob) -> None:
    store.submit(new(), 10)
    with pytest.raises(IdConflict):
        store.submit(other, 10)


def test_a_full_queue_refuses_and_says_its_length(store: JobStore) -> None:
    store.submit(new("a"), 1)
    with pytest.raises(QueueFull) as refused:
        store.submit(new("b"), 1)
    assert refused.value.extra == {"queue_length": 1, "limit": 1}
    with pytest.raises(NotFound):
        store.get("b")


def test_jobs_are_claimed_by_priority_then_age(store: JobStore, clock: Clock) -> None:
    for job_id, priority in (("old", 0), ("young", 0), ("urgent", 5)):
        store.submit(new(job_id, priority=priority), 10)
        clock.now += 1
    assert store.position(store.get("young")) == 2
    found = [job.id for job in (claim(store), claim(store), claim(store)) if job]
    assert found == ["urgent", "old", "young"]
    assert claim(store) is None


def test_two_workers_never_claim_the_same_job(store: JobStore) -> None:
    for number in range(20):
        store.submit(new(f"job{number}"), 100)
    taken: list[str] = []

    def work() -> None:
        while (job := claim(store, threading.current_thread().name)) is not None:
            taken.append(job.id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(f"job{number}" for number in range(20))


def test_a_dead_workers_job_comes_back(store: JobStore, clock: Clock) -> None:
    first = claimed(store)
    assert claim(store) is None
    clock.now += 31
    second = claim(store, "other")
    assert second is not None
    assert (second.attempt, second.crashes, second.worker) == (2, 1, "other")
    assert [event.type for event in store.events("a", 0, 10)] == ["queued", "started", "requeued", "started"]
    with pytest.raises(LeaseLost):
        store.record("a", Change("progress", progress=0.5), attempt=first.attempt)
    with pytest.raises(LeaseLost):
        store.renew("a", first.attempt, 30)


def test_a_renewed_lease_holds(store: JobStore, clock: Clock) -> None:
    job = claimed(store)
    clock.now += 20
    store.renew("a", job.attempt, 30)
    clock.now += 20
    assert claim(store) is None


def test_a_job_that_kills_its_workers_fails_in_the_end(store: JobStore, clock: Clock) -> None:
    claimed(store)
    for _ in range(3):
        clock.now += 31
        claim(store)
    job = store.get("a")
    assert job.state is State.FAILED
    assert job.error is not None
    assert job.error["code"] == "internal"


def test_a_checkpoint_shows_that_the_job_is_not_what_kills(store: JobStore, clock: Clock) -> None:
    claimed(store)
    for _ in range(6):
        clock.now += 31
        job = claim(store)
        assert job is not None
        store.record("a", Change("progress", checkpoint={str(job.attempt): True}), attempt=job.attempt)
    assert len(store.get("a").checkpoint) == 6


def test_progress_never_goes_back_and_seq_has_no_gaps(store: JobStore) -> None:
    job = claimed(store)
    for progress in (0.2, 0.6, 0.4, 0.9):
        store.record("a", Change("progress", {"progress": progress}, progress=progress), attempt=job.attempt)
    events = store.events("a", 2, 10)
    assert [event.data["progress"] for event in events] == [0.2, 0.6, 0.6, 0.9]
    assert [event.seq for event in events] == [3, 4, 5, 6]
    assert [event.seq for event in store.events("a", 4, 1)] == [5]


@pytest.mark.parametrize("state", list(State))
def test_only_the_tables_transitions_are_allowed(store: JobStore, state: State) -> None:
    job = claimed(store)
    if state is State.QUEUED:
        store.record("a", Change("requeued", state=State.QUEUED), attempt=job.attempt)
    elif state in FINAL:
        store.record("a", Change(state.value, state=state), attempt=job.attempt)
    for target in set(State) - TRANSITIONS[state]:
        with pytest.raises(Finished):
            store.record("a", Change("x", state=target))
    assert store.get("a").state is state


def test_a_cancelled_job_is_never_overwritten(store: JobStore) -> None:
    job = claimed(store)
    store.record("a", Change("cancelled", state=State.CANCELLED))
    with pytest.raises(LeaseLost):
        store.record("a", Change("succeeded", state=State.SUCCEEDED, result={}), attempt=job.attempt)
    assert store.get("a").state is State.CANCELLED


def test_a_failed_job_can_be_retried_and_keeps_its_steps(store: JobStore) -> None:
    job = claimed(store)
    store.record("a", Change("progress", checkpoint={"detect": 1}), attempt=job.attempt)
    store.record("a", Change("failed", state=State.FAILED, error={"code": "x"}), attempt=job.attempt)
    retried, _ = store.record("a", Change("retried", state=State.QUEUED))
    assert (retried.error, retried.finished_at, retried.checkpoint) == (None, None, {"detect": 1})
    again = claim(store)
    assert again is not None
    assert again.attempt > job.attempt


def test_a_forgotten_job_is_gone_and_says_so(store: JobStore, clock: Clock) -> None:
    job = claimed(store)
    store.record("a", Change("succeeded", state=State.SUCCEEDED, result={}), attempt=job.attempt)
    assert store.expired(clock.now, 10) == []
    assert store.expired(clock.now + 1, 10) == ["a"]
    store.forget("a")
    with pytest.raises(Expired):
        store.get("a")
    assert store.events("a", 0, 10) == []
    with pytest.raises(NotFound):
        store.get("never")


def test_the_ids_of_removed_jobs_are_let_go_in_the_end(store: JobStore, clock: Clock) -> None:
    job = claimed(store)
    store.record("a", Change("succeeded", state=State.SUCCEEDED, result={}), attempt=job.attempt)
    store.forget("a")
    store.prune(clock.now)
    with pytest.raises(Expired):
        store.get("a")
    store.prune(clock.now + 1)
    with pytest.raises(NotFound):
        store.get("a")


def test_a_cursor_is_kept_and_never_goes_back(store: JobStore) -> None:
    assert store.cursor("ann") == 0
    for position in (5, 3):
        store.move_cursor("ann", position)
        assert (store.cursor("ann"), store.cursor("bob")) == (5, 0)
    store.move_cursor("ann", 8)
    assert store.cursor("ann") == 8


def test_a_cursor_that_nobody_moves_is_let_go(store: JobStore, clock: Clock) -> None:
    store.move_cursor("ann", 5)
    clock.now += 10
    store.move_cursor("bob", 6)
    store.prune(clock.now)
    assert (store.cursor("ann"), store.cursor("bob")) == (0, 6)


def test_a_list_is_paged_without_doubles(store: JobStore, clock: Clock) -> None:
    for number in range(7):
        store.submit(new(f"job{number}"), 100)
        clock.now += number % 2  # some share their time
    seen: list[str] = []
    before = None
    while page := store.list_jobs(kind="inpaint", owner="", states=(), before=before, limit=3):
        seen += [job.id for job in page]
        before = page[-1].created_at, page[-1].id
    assert sorted(seen) == [f"job{number}" for number in range(7)]
    assert len(seen) == 7
    assert store.list_jobs(kind="inpaint", owner="other", states=(), before=None, limit=3) == []


def test_counts_name_every_state(store: JobStore) -> None:
    claimed(store)
    store.submit(new("b"), 10)
    assert store.counts("inpaint") == {
        State.QUEUED: 1, State.RUNNING: 1, State.SUCCEEDED: 0, State.FAILED: 0, State.CANCELLED: 0
    }  # fmt: skip


def test_the_log_of_all_jobs_is_one_line(store: JobStore) -> None:
    claimed(store, "a")
    claimed(store, "b")
    events = store.events_of_all("inpaint", "", 0, 100)
    assert [event.position for event in events] == sorted({event.position for event in events})
    assert store.last_position() == events[-1].position
    assert store.events_of_all("inpaint", "other", 0, 100) == []
