"""Which part of a file a header asks for."""

from __future__ import annotations

import pytest
from starlette.exceptions import HTTPException

from backend.ranges import part


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=2-5", slice(2, 6)),
        ("bytes=7-", slice(7, 10)),
        ("bytes=7-99", slice(7, 10)),
        ("bytes=-3", slice(7, 10)),
        ("bytes=-99", slice(0, 10)),
        ("Bytes = 1-2", slice(1, 3)),
        ("", None),
        ("bytes=-", None),
        ("bytes=5-2", None),
        ("bytes=0-1,4-5", None),
        ("lines=0-1", None),
        ("bytes=a-b", None),
    ],
)
def test_one_range_is_understood_and_all_else_means_the_whole(header: str, wanted: slice | None) -> None:
    assert part(header, 10) == wanted


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=99-100", "bytes=-0"])
def test_what_the_file_does_not_have_is_refused_with_its_size(header: str) -> None:
    with pytest.raises(HTTPException) as refused:
        part(header, 10)
    assert (refused.value.status_code, refused.value.headers) == (416, {"Content-Range": "bytes */10"})
