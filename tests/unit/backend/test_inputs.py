"""Which pictures a command line means, and where the results go."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from backend.cli.inputs import PICTURES, UsageError, find, plan

Touch = Callable[..., None]


@pytest.fixture
def touch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Touch:
    monkeypatch.chdir(tmp_path)

    def make(*names: str) -> None:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    return make


def paths(*arguments: str, apart_from: str | None = None) -> list[str]:
    return [str(found.path) for found in find(arguments, Path(apart_from) if apart_from else None)]


def targets(arguments: list[str], out: str, format: str | None = None) -> list[str]:
    return [str(item.target) for item in plan(find(arguments), out, format).items]


def test_a_folder_gives_the_pictures_at_all_depths_in_order(touch: Touch) -> None:
    touch("in/b.PNG", "in/a.jpg", "in/deep/er/c.webp", "in/notes.txt", "in/.hidden.png", "in/.git/d.png")
    assert paths("in") == ["in/a.jpg", "in/b.PNG", "in/deep/er/c.webp"]


def test_documents_are_taken_and_stay_documents(touch: Touch) -> None:
    touch("in/a.pdf", "in/b.tif")
    assert paths("in", "*/*.PDF", "in/*.pdf") == ["in/a.pdf", "in/b.tif"]
    assert [found.path.name for found in find(["in", "in/*"], taken=PICTURES)] == ["b.tif"]
    assert targets(["in"], "out", "jpeg") == ["out/a.pdf", "out/b.jpg"]
    for format, kept in ((None, "same"), ("webp", "same"), ("jpeg", "jpeg")):
        for out, target in (("o.pdf", "o.pdf"), ("out", "out/a.pdf")):
            items = plan(find(["in/a.pdf"]), out, format).items
            assert [(str(item.target), item.format) for item in items] == [(target, kept)]


def test_what_a_result_is_says_how_it_is_called_and_never_replaces_the_picture(touch: Touch) -> None:
    touch("a.tif", "b.tiff")
    first, second = plan(find(["a.tif", "b.tiff"]), ".").items
    assert [str(first.place(kind)) for kind in ("image/png", "image/tiff", "image/jpeg", "odd/kind")] == [
        "a.png",
        "a.tiff",
        "a.jpg",
        "a.png",
    ]
    assert str(second.place("image/tiff")) == "b.tif"
    assert first.existing() is None
    touch("b.tif")
    assert str(second.existing()) == "b.tif"


def test_the_folder_of_results_is_no_input(touch: Touch) -> None:
    touch("in/a.png", "in/out/a.png")
    assert paths("in", apart_from="in/out") == ["in/a.png"]


def test_a_folder_that_is_its_own_output_is_read(touch: Touch) -> None:
    touch("in/a.png")
    assert paths("in", apart_from="in") == ["in/a.png"]


def test_a_pattern_gives_the_pictures_that_match(touch: Touch) -> None:
    touch("a.png", "b.png", "b.txt", "deep/c.png")
    assert paths("*.*") == ["a.png", "b.png"]
    assert paths("**/c.*") == ["deep/c.png"]


def test_a_name_that_looks_like_a_pattern_is_a_file_when_it_exists(touch: Touch) -> None:
    touch("scan[1].png", "scan1.png")
    assert paths("scan[1].png") == ["scan[1].png"]


def test_a_picture_named_twice_is_taken_once(touch: Touch) -> None:
    touch("a.png")
    assert paths("a.png", "./a.png", "*.png", ".") == ["a.png"]


def test_a_file_that_is_missing_stays_in_the_batch(touch: Touch) -> None:
    assert paths("gone.png") == ["gone.png"]


def test_no_picture_at_all_is_refused(touch: Touch) -> None:
    touch("in/notes.txt")
    with pytest.raises(UsageError, match="no pictures in in, \\*\\.png"):
        find(["in", "*.png"])


@pytest.mark.parametrize(
    ("out", "format", "written"),
    [("o.png", None, "png"), ("o.JPG", None, "jpeg"), ("o.webp", "same", "webp"), ("o.jpeg", "jpeg", "jpeg")],
)
def test_a_files_suffix_is_its_format(touch: Touch, out: str, format: str | None, written: str) -> None:
    touch("a.png")
    done = plan(find(["a.png"]), out, format)
    assert [(str(item.target), item.format) for item in done.items] == [(out, written)]
    assert not done.keeps_existing


def test_one_picture_goes_into_a_folder_when_out_has_no_pictures_suffix(touch: Touch) -> None:
    touch("a.png", "there.png/x.txt")
    assert targets(["a.png"], "out") == ["out/a.png"]
    assert targets(["a.png"], "v1.2") == ["v1.2/a.png"]
    assert targets(["a.png"], "new.png/") == ["new.png/a.png"]
    assert targets(["a.png"], "there.png") == ["there.png/a.png"]


def test_a_folders_results_have_the_same_places_and_the_formats_extension(touch: Touch) -> None:
    touch("in/a.gif", "in/deep/b.JPEG")
    assert targets(["in"], "out") == ["out/a.png", "out/deep/b.png"]
    assert targets(["in"], "out", "jpeg") == ["out/a.jpg", "out/deep/b.jpg"]
    assert targets(["in"], "out", "same") == ["out/a.png", "out/deep/b.jpg"]


def test_results_that_would_collide_are_numbered_always_alike(touch: Touch) -> None:
    touch("1/a.png", "2/a.png", "2/A.jpg", "3/a-2.png")
    expected = ["out/a.png", "out/A-2.png", "out/a-3.png", "out/a-2-2.png"]
    assert targets(["1", "2", "3"], "out") == expected == targets(["1", "2", "3"], "out")
    assert plan(find(["1", "2"]), "out").keeps_existing


@pytest.mark.parametrize(
    ("arguments", "out", "format", "reason"),
    [
        (["in"], "o.png", None, "need a folder"),
        (["a.png", "b.png"], "o.png", None, "need a folder"),
        (["a.png"], "o.gif", None, r"\.gif is not written"),
        (["a.png"], "o.png", "jpeg", "contradict"),
        (["a.png"], "notes.txt", None, "is a file, but no picture"),
        (["a.png"], "./a.png", None, "is the picture itself"),
        (["d.pdf"], "o.png", None, "two kinds"),
        (["a.png"], "o.pdf", None, "two kinds"),
    ],
)
def test_what_does_not_go_together_is_refused(
    touch: Touch, arguments: list[str], out: str, format: str | None, reason: str
) -> None:
    touch("a.png", "b.png", "d.pdf", "in/c.png", "notes.txt")
    with pytest.raises(UsageError, match=reason):
        plan(find(arguments), out, format)


def test_force_replaces_the_picture_by_its_result(touch: Touch) -> None:
    touch("a.png")
    assert plan(find(["a.png"]), "a.png", force=True).items[0].target == Path("a.png")
