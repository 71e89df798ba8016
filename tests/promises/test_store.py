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


def test_the_oldest_job_that_could_be_begun_says_since_when_it_waits(store: JobStore, clock: Clock) -> None:
    assert store.waiting_since("inpaint") is None
    store.submit(new("first"), 10)
    submitted = clock.now
    store.submit(new("held", waits_for="first"), 10)
    store.submit(NewJob("other", "ocr", {}, "d"), 10)
    clock.now += 5
    assert store.waiting_since("inpaint") == submitted
    claim(store)
    assert store.waiting_since("inpaint") is None


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


def dies(store: JobStore, clock: Clock, times: int) -> None:
    """Let the worker that holds the only job die so often, each time with no other job."""
    for _ in range(times):
        clock.now += 31
        assert claim(store, crash_limit=10) is not None


def test_a_job_at_whose_side_workers_die_is_given_to_a_worker_that_is_alone(store: JobStore, clock: Clock) -> None:
    claimed(store)
    dies(store, clock, 1)
    clock.now += 31
    store.submit(new("b"), 10)
    assert store.claim(["inpaint"], "w", 30, 10, alone=False) is None
    alone = claim(store, crash_limit=10)
    assert alone is not None
    assert (alone.id, alone.crashes) == ("a", 2)


def test_a_suspect_waits_twice_as_long_after_each_death_while_others_go_on(store: JobStore, clock: Clock) -> None:
    claimed(store)
    dies(store, clock, 2)
    store.submit(new("b"), 10)
    clock.now += 31
    other = claim(store, crash_limit=10)
    assert other is not None
    assert other.id == "b"
    assert claim(store, crash_limit=10) is None
    clock.now += 2 * 30
    store.record("b", Change("succeeded", state=State.SUCCEEDED, result={}), attempt=other.attempt)
    again = claim(store, crash_limit=10)
    assert again is not None
    assert (again.id, again.crashes) == ("a", 3)
    assert "due_at" in store.events("a", again.seq - 2, 1)[0].data


def test_the_death_of_a_worker_that_held_no_suspect_speaks_for_the_suspects(store: JobStore, clock: Clock) -> None:
    claimed(store)
    dies(store, clock, 2)
    clock.now += 31
    assert claim(store, crash_limit=10) is None
    assert store.get("a").crashes == 3
    claimed(store, "b")
    clock.now += 31
    claim(store, crash_limit=10)
    assert store.get("a").crashes == 2


def test_after_a_checkpoint_it_is_one_among_others_again(store: JobStore, clock: Clock) -> None:
    claimed(store)
    dies(store, clock, 2)
    job = store.get("a")
    store.record("a", Change("progress", checkpoint={"done": 1}), attempt=job.attempt)
    clock.now += 31
    assert store.claim(["inpaint"], "w", 30, 10, alone=False) is not None


def test_a_job_is_added_in_the_transaction_of_a_change_or_not_at_all(store: JobStore) -> None:
    job = claimed(store)
    store.record("a", Change("failed", state=State.FAILED, error={}), attempt=job.attempt, then=[new("b")])
    assert store.get("b").state is State.QUEUED
    with pytest.raises(Finished):
        store.record("a", Change("cancelled", state=State.CANCELLED), then=[new("c")])
    with pytest.raises(NotFound):
        store.get("c")


def test_ids_that_no_job_has_are_told(store: JobStore) -> None:
    claimed(store)
    assert store.unknown(["a", "b", "c"]) == {"b", "c"}
    assert store.unknown([]) == set()


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


def test_a_job_that_is_retried_stands_where_the_retry_says_and_keeps_its_result(store: JobStore) -> None:
    job = claimed(store)
    store.record("a", Change("succeeded", state=State.SUCCEEDED, result={"n": 1}), attempt=job.attempt)
    retried, _ = store.record("a", Change("retried", state=State.QUEUED, progress=0.5))
    assert (retried.progress, retried.result, retried.started_at, retried.finished_at) == (0.5, {"n": 1}, None, None)
    again = claim(store)
    assert again is not None
    store.record("a", Change("progress", progress=0.4), attempt=again.attempt)
    assert store.get("a").progress == 0.5
    store.record("a", Change("succeeded", state=State.SUCCEEDED, result={"n": 2}), attempt=again.attempt)
    assert store.get("a").result == {"n": 2}


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


def test_a_look_tells_whether_the_log_is_at_its_end(store: JobStore) -> None:
    job = claimed(store)
    events, over = store.look("a", 0, 10)
    assert ([event.type for event in events], over) == (["queued", "started"], False)
    assert store.look("a", 2, 10) == ([], False)
    store.record("a", Change("failed", state=State.FAILED), job.attempt)
    store.record("a", Change("note"))
    events, over = store.look("a", 2, 1)
    assert ([event.type for event in events], over) == (["failed"], False)  # there is more
    events, over = store.look("a", 3, 10)
    assert ([event.type for event in events], over) == (["note"], True)
    assert store.look("a", 4, 10) == store.look("a", 99, 10) == ([], True)
    store.record("a", Change("retried", state=State.QUEUED))
    assert store.look("a", 5, 10) == ([], False)
    with pytest.raises(NotFound):
        store.look("b", 0, 10)


def test_a_look_at_a_job_that_was_removed_says_so(store: JobStore) -> None:
    claimed(store)
    store.record("a", Change("cancelled", state=State.CANCELLED))
    store.forget("a")
    with pytest.raises(Expired):
        store.look("a", 0, 10)


def test_jobs_that_are_submitted_together_are_all_logged(store: JobStore, clock: Clock) -> None:
    store.submit(new("b"), 10)
    store.record("b", Change("cancelled", state=State.CANCELLED))
    store.forget("b")
    job, _ = store.submit(new("a"), 10, [new("b"), new("c", waits_for="a")])
    assert [event.job_id for event in store.events_of_all("inpaint", None, 0, 10)] == ["b", "c", "a"]
    assert [store.get(each).seq for each in "abc"] == [1, 1, 1]
    assert store.get("a") == job
    store.record("b", Change("cancelled", state=State.CANCELLED))
    store.forget("b")
    with pytest.raises(Expired):
        store.get("b")


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


def ended(store: JobStore, clock: Clock, job_id: str, files_bytes: int) -> None:
    """Add a job that has ended and was measured, a second after the one before."""
    clock.now += 1
    store.submit(new(job_id), 10)
    job, _ = store.record(job_id, Change("cancelled", state=State.CANCELLED))
    store.measure(job_id, job.seq, files_bytes)


def test_a_job_is_measured_after_its_end_and_after_whatever_is_recorded_later(store: JobStore) -> None:
    job = claimed(store)
    assert store.unmeasured(10) == []
    job, _ = store.record("a", Change("failed", state=State.FAILED), job.attempt)
    assert store.unmeasured(10) == [("a", job.seq)]
    store.measure("a", job.seq - 1, 1)
    assert store.unmeasured(10) == [("a", job.seq)]
    store.measure("a", job.seq, 7)
    assert (store.unmeasured(10), store.get("a").files_bytes) == ([], 7)
    job, _ = store.record("a", Change("regions_edited", {}))
    assert store.unmeasured(10) == [("a", job.seq)]
    store.record("a", Change("retried", state=State.QUEUED))
    assert store.unmeasured(10) == []


@pytest.mark.parametrize(
    ("limit_bytes", "gone"),
    [(60, []), (59, ["a"]), (50, ["a"]), (49, ["a", "b"]), (29, ["a", "b", "c"]), (0, ["a", "b", "c"])],
)
def test_what_does_not_fit_is_the_oldest(store: JobStore, clock: Clock, limit_bytes: int, gone: list[str]) -> None:
    for job_id, size in (("a", 10), ("b", 20), ("empty", 0), ("c", 30)):
        ended(store, clock, job_id, size)
    clock.now += 1
    store.submit(new("waits"), 10)
    claimed(store, "runs")
    assert store.surplus(limit_bytes, clock.now, 10) == gone
    assert store.surplus(limit_bytes, clock.now, 1) == gone[:1]


def test_the_newest_stay_until_a_time_and_take_their_room(store: JobStore, clock: Clock) -> None:
    for job_id in ("a", "b", "c"):
        ended(store, clock, job_id, 10)
    finished_at = store.get("b").finished_at
    assert finished_at is not None
    assert store.surplus(0, finished_at, 10) == ["a"]
    assert store.surplus(29, finished_at, 10) == ["a"]
