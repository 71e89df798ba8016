"""Copies of an engine: lent, loaded when they are wanted, let go while nobody calls; and what must hold before."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cleanplate.contract.problems import EngineUnavailable
from ocr_service.engines import EngineOptions, Line, ReadOptions
from ocr_service.engines.needs import DeepSeekOptions
from ocr_service.gates import check_gpu
from ocr_service.machine import Memory
from ocr_service.stock import Stock

GB = 1024**3
ON_GPU = EngineOptions(deepseek=DeepSeekOptions(backend="hf"))


class Engine:
    name, model, calls_at_once = "engine", "none", 1
    warm, closed = False, False

    def warm_up(self) -> None:
        self.warm = True

    def read(self, rgb: NDArray[np.uint8], options: ReadOptions) -> list[Line]:
        return []

    def close(self) -> None:
        assert not self.closed
        self.closed = True


class Works:
    """Makes engines, and tells the time."""

    def __init__(self) -> None:
        self.made: list[Engine] = []
        self.now = 0.0
        self.fails = False

    def make(self) -> Engine:
        if self.fails:
            raise EngineUnavailable("no memory")
        self.made.append(Engine())
        return self.made[-1]

    def stock(self, copies: int = 2) -> Stock:
        return Stock(self.make(), copies, self.make, lambda: self.now)


def test_all_copies_are_loaded_and_warm() -> None:
    works = Works()
    stock = works.stock(3)
    stock.load()
    stock.load()
    assert [engine.warm for engine in works.made] == [True] * 3


def test_a_copy_is_lent_to_one_at_a_time() -> None:
    stock = Works().stock(2)
    with stock.lent() as one, stock.lent() as other:
        assert one is not other


def test_what_is_idle_is_let_go_and_loaded_again_by_the_next_call() -> None:
    works = Works()
    stock = works.stock()
    stock.load()
    works.now = 9.0
    assert not stock.unload(idle_s=10)
    works.now = 10.0
    assert stock.unload(idle_s=10)
    assert not stock.loaded
    assert [engine.closed for engine in works.made] == [True, True]
    assert not stock.unload(idle_s=10)
    with stock.lent() as engine:
        assert engine in works.made[2:]
    assert len(works.made) == 4


def test_what_is_lent_is_not_let_go_and_its_time_counts_from_the_end_of_the_call() -> None:
    works = Works()
    stock = works.stock()
    with stock.lent():
        works.now = 100.0
        assert not stock.unload(idle_s=10)
    assert not stock.unload(idle_s=10)
    assert stock.busy_s == 100.0
    works.now = 110.0
    assert stock.unload(idle_s=10)


def test_a_copy_that_does_not_load_leaves_none_behind_and_the_next_call_tries_again() -> None:
    works = Works()
    stock = works.stock()
    works.fails = True
    with pytest.raises(EngineUnavailable):
        stock.load()
    assert [engine.closed for engine in works.made] == [True]
    works.fails = False
    with stock.lent() as engine:
        assert not engine.closed  # type: ignore[attr-defined]


def test_a_copy_that_does_not_warm_up_is_closed() -> None:
    class Cold(Engine):
        def warm_up(self) -> None:
            raise MemoryError

    cold = Cold()
    with pytest.raises(MemoryError):
        Stock(cold, 1, Engine).load()
    assert cold.closed


def test_callers_that_come_while_it_loads_wait_and_load_nothing_twice() -> None:
    works = Works()
    stock = works.stock(4)
    threads = [threading.Thread(target=lambda: stock.lent().__enter__()) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(works.made) == 4


def test_an_engine_is_not_loaded_on_a_gpu_that_is_too_full() -> None:
    with pytest.raises(EngineUnavailable, match=r"has 5 GB free, wanted are 8") as caught:
        check_gpu("deepseek", ON_GPU, 8.0, lambda: Memory(5 * GB, 24 * GB))
    assert caught.value.retry_after_s is not None
    check_gpu("deepseek", ON_GPU, 5.0, lambda: Memory(5 * GB, 24 * GB))
    check_gpu("deepseek", ON_GPU, 8.0, lambda: None)
    with pytest.raises(EngineUnavailable):
        check_gpu("paddle", EngineOptions(paddle_runtime="paddle_static"), 8.0, lambda: Memory(5 * GB, 24 * GB))


def test_nobody_asks_the_gpu_where_no_engine_takes_it() -> None:
    def asked() -> Memory:
        raise AssertionError

    check_gpu("deepseek", ON_GPU, 0.0, asked)
    check_gpu("rapid", ON_GPU, 8.0, asked)
    check_gpu("paddle", ON_GPU, 8.0, asked)
    check_gpu("deepseek", replace(ON_GPU, deepseek=DeepSeekOptions(backend="vllm")), 8.0, asked)
