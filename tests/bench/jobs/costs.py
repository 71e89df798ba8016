"""What a job costs beside the same models called without a service: one picture, and a queue of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from functools import partial

from tests.bench.jobs.bare import Bare
from tests.bench.jobs.pictures import picture
from tests.bench.jobs.running import Running, ended, running
from tests.bench.quality.reading import Reader
from tests.bench.targets import Target

STARTS = 4
ROUNDS = 9
SHEETS = 6
FRESH = 1000  # from here on pictures that no service has seen


def one(_: int) -> Iterator[Target]:
    """Compare a request with the bare calls, in turn, so that a slow spell of the machine falls on both.

    All processes are started anew several times: the same engine may run 5 % slower in one process than in another.
    """
    taken: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    for start in range(STARTS):
        with Reader() as reader, running(real=True) as services:
            bare = Bare(reader)
            for verify, pairs in taken.items():
                first = ROUNDS * (2 * start + verify)
                _both(bare, services, picture(FRESH), verify=verify)
                pairs += [_both(bare, services, picture(first + number), verify=verify) for number in range(ROUNDS)]
    for verify, pairs in taken.items():
        floor_s, request_s = (statistics.median(column) for column in zip(*pairs, strict=True))
        what = f"1 MP, {_words(verify)}: {request_s:.2f} s / bare calls {floor_s:.2f} s"
        yield Target(what, statistics.median(request / floor for floor, request in pairs), 1.10)


def many(count: int) -> Iterator[Target]:
    """Compare a queue with what its slower model alone needs, while the faster one is at work too."""
    with Reader() as reader, running(real=True) as services:
        bare = Bare(reader)
        for verify in (False, True):
            sheets = [bare.erase(picture(FRESH + number), verify=verify) for number in range(SHEETS)]
            busy = partial(bare.both_busy, sheets, verify=verify)
            pictures = [picture(count * verify + number) for number in range(count)]
            before = busy()
            total_s, paintings = _queue_s(services, pictures, verify=verify)
            read_s, paint_s = (statistics.mean(column) for column in zip(before, busy(), strict=True))
            what = (
                f"{count} queued, {_words(verify)}: {total_s:.0f} s; OCR {read_s:.2f} s, painting {paint_s:.2f} s each"
            )
            what += f", {paintings - count} painted again"
            yield Target(what, total_s / (count * max(read_s, paint_s)), 1.15)


def _both(bare: Bare, services: Running, image: bytes, *, verify: bool) -> tuple[float, float]:
    floor_s = bare.erase(image, verify=verify).seconds
    began = time.perf_counter()
    answer = services.post("erase", image, verify=verify)
    request_s = time.perf_counter() - began
    assert answer.headers["Content-Type"] == "image/png", answer.text
    return floor_s, request_s


def _queue_s(services: Running, pictures: list[bytes], *, verify: bool) -> tuple[float, int]:
    """Return how long the queue took, from the first submit on, and how often something was painted."""
    with services.log() as log:
        began = time.perf_counter()
        for image in pictures:
            services.post("jobs", image, verify=verify)
        events = ended(log, len(pictures))
        taken_s = time.perf_counter() - began
    return taken_s, sum(event["type"] == "task_chosen" for event in events)


def _words(verify: bool) -> str:
    return "looked at again" if verify else "not looked at again"
