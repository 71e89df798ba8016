"""Rendering ahead: the order, how many pages are in memory, and what goes wrong."""

from __future__ import annotations

import asyncio
import gc
import weakref

import numpy as np
import pytest
from numpy.typing import NDArray

from ocr_service.ahead import Ahead


class Renderer:
    """Makes pages, and counts how many are in memory whenever one is made."""

    def __init__(self) -> None:
        self.made: list[int] = []
        self.most = 0
        self._pages: list[weakref.ref[NDArray[np.uint8]]] = []

    async def __call__(self, index: int) -> NDArray[np.uint8]:
        await asyncio.sleep(0)
        if index == 13:
            raise ValueError(index)
        page = np.full((2, 2, 3), index, np.uint8)
        self.made.append(index)
        self._pages.append(weakref.ref(page))
        gc.collect()
        self.most = max(self.most, sum(made() is not None for made in self._pages))
        return page


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_pages_come_in_order_and_the_next_is_begun_when_one_is_taken() -> None:
    render = Renderer()
    async with Ahead(render, [4, 7, 9]) as ahead:
        for index, begun in ((4, [4, 7]), (7, [4, 7, 9]), (9, [4, 7, 9])):
            page = await ahead.take()
            await settled()
            assert (int(page[0, 0, 0]), render.made) == (index, begun)


async def test_no_more_than_two_pages_are_in_memory() -> None:
    render = Renderer()
    async with Ahead(render, range(10)) as ahead:
        for _ in range(10):
            page = await ahead.take()
            await settled()
            del page
    assert render.most == 2


async def test_a_page_that_cannot_be_rendered_does_not_keep_the_next_back() -> None:
    async with Ahead(Renderer(), [1, 13, 2]) as ahead:
        await ahead.take()
        with pytest.raises(ValueError, match="13"):
            await ahead.take()
        assert (await ahead.take())[0, 0, 0] == 2


async def test_what_nobody_takes_is_given_up() -> None:
    never = asyncio.Event()
    ended = asyncio.Event()

    async def render(index: int) -> NDArray[np.uint8]:
        try:
            await never.wait()
        finally:
            ended.set()
        raise AssertionError

    async with Ahead(render, [1]):
        await settled()
    assert ended.is_set()
