"""A PDF or a TIFF in which some pages are pictures, and what is left in it of these pages."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pikepdf import Array, Dictionary, Encryption, Name, Pdf
from PIL import Image

from backend.bound_pdf import bind_pdf
from backend.bound_tiff import bind_tiff
from cleanplate.runtime.images import png
from tests.fakes import papers
from tests.fakes.papers import everything_in, frames_of, rendered, saved, text_of

HUES = np.indices((300, 400)).transpose(1, 2, 0).sum(axis=2, keepdims=True) % np.array([251, 241, 239])
PICTURE = HUES.astype(np.uint8)


def bound(folder: Path, document: bytes, **pictures: np.ndarray) -> bytes:
    """Return the PDF with pictures in place of pages, named as in `p2`."""
    (folder / "input").write_bytes(document)
    for name, picture in pictures.items():
        (folder / name).write_bytes(png.write(np.ascontiguousarray(picture)))
    bind_pdf(folder / "input", {int(name[1:]): folder / name for name in pictures}, folder / "result")
    return (folder / "result").read_bytes()


def test_the_text_of_a_painted_page_is_gone_and_other_pages_stay(tmp_path: Path) -> None:
    before = papers.pdf(["SALE"], ["TODAY"], ["SALE", "ONLY"])
    after = bound(tmp_path, before, p2=PICTURE)
    assert text_of(before) == ["SALE", "TODAY", "SALE\r\nONLY"]
    assert text_of(after) == ["SALE", "", "SALE\r\nONLY"]
    assert b"TODAY" in everything_in(before)
    assert b"TODAY" not in everything_in(after)
    pages = rendered(after)
    assert np.array_equal(pages[1], PICTURE)
    assert np.array_equal(pages[0], rendered(before)[0])
    with Pdf.open(BytesIO(before)) as old, Pdf.open(BytesIO(after)) as new:
        assert [page.Contents.read_bytes() for page in (old.pages[0].obj, old.pages[2].obj)] == [
            page.Contents.read_bytes() for page in (new.pages[0].obj, new.pages[2].obj)
        ]


@pytest.mark.parametrize("turn", [0, 90, 180, 270, -90])
@pytest.mark.parametrize("box", [None, [40, 30, 340, 270]])
def test_a_painted_page_is_shown_as_it_was_however_it_is_turned_and_cut(
    tmp_path: Path, turn: int, box: list[int] | None
) -> None:
    entries = {"Rotate": turn} | ({} if box is None else {"CropBox": Array(box)})
    before = papers.pdf(["SALE"], **entries)
    size = rendered(before)[0].shape
    picture = np.ascontiguousarray(np.tile(PICTURE, (2, 2, 1))[: size[0], : size[1]])
    after = bound(tmp_path, before, p1=picture)
    assert np.array_equal(rendered(after)[0], picture)
    with Pdf.open(BytesIO(after)) as new:
        assert list(new.pages[0].obj.MediaBox) == [0, 0, 400, 300]
        assert new.pages[0].obj.Rotate == turn


def test_what_a_page_has_outside_its_content_goes_with_it(tmp_path: Path) -> None:
    with Pdf.open(BytesIO(papers.pdf(["SALE"], ["ONLY"]))) as made:
        first, second = made.pages
        comment = made.make_indirect(Dictionary(Subtype=Name.FreeText, Rect=Array([0, 0, 9, 9]), Contents="SECRET"))
        field = made.make_indirect(
            Dictionary(FT=Name.Tx, T="a", V="SECRET", Subtype=Name.Widget, Rect=Array([0, 0, 9, 9]))
        )
        other = made.make_indirect(
            Dictionary(FT=Name.Tx, T="b", V="KEPT", Subtype=Name.Widget, Rect=Array([0, 0, 9, 9]))
        )
        parent = made.make_indirect(Dictionary(T="c", V="SECRET", Kids=Array([field])))
        first.obj.Annots = Array([comment, field, papers.link(made, "https://example.com/there")])
        first.obj.PieceInfo = Dictionary(App=Dictionary(Private="SECRET"))
        second.obj.Annots = Array([other])
        made.Root.AcroForm = Dictionary(Fields=Array([parent, other]), CO=Array([field]))
        made.Root.StructTreeRoot = made.make_indirect(
            Dictionary(Type=Name.StructTreeRoot, K=Dictionary(S=Name.P, ActualText="SECRET", Pg=first.obj))
        )
        shared = made.make_indirect(Dictionary(Properties=Dictionary(X=made.make_indirect(Dictionary(Note="SECRET")))))
        made.Root.Pages.Resources = shared
        del first.obj.Resources
        before = saved(made)
    after = everything_in(bound(tmp_path, before, p1=PICTURE))
    assert b"SECRET" in everything_in(before)
    assert b"SECRET" not in after
    assert b"KEPT" in after
    assert b"https://example.com/there" in after
    assert b"SALE" not in after


def test_a_page_without_a_box_of_its_own_has_that_above_it(tmp_path: Path) -> None:
    with Pdf.open(BytesIO(papers.pdf(["SALE"]))) as made:
        made.Root.Pages.MediaBox = made.pages[0].obj.MediaBox
        made.Root.Pages.Rotate = 90
        del made.pages[0].obj.MediaBox
        before = saved(made)
    picture = np.ascontiguousarray(PICTURE.transpose(1, 0, 2))
    assert np.array_equal(rendered(bound(tmp_path, before, p1=picture))[0], picture)


def test_a_pdf_that_only_forbids_changes_is_bound_too(tmp_path: Path) -> None:
    file = BytesIO()
    with Pdf.open(BytesIO(papers.pdf(["SALE"], ["ONLY"]))) as made:
        made.save(file, encryption=Encryption(owner="secret", user=""))
    after = bound(tmp_path, file.getvalue(), p1=PICTURE)
    assert text_of(after) == ["", "ONLY"]
    assert np.array_equal(rendered(after)[0], PICTURE)


def test_a_long_document_is_bound_without_errors_in_its_structure(tmp_path: Path) -> None:
    pictures = {f"p{number}": PICTURE for number in range(2, 30, 3)}
    after = bound(tmp_path, papers.pdf(*[["SALE"]] * 30), **pictures)
    with Pdf.open(BytesIO(after)) as opened:
        assert opened.check_pdf_syntax() == []
    assert [number for number, text in enumerate(text_of(after), 1) if not text] == list(range(2, 30, 3))


def test_pictures_of_other_kinds_are_shown_too(tmp_path: Path) -> None:
    gray = PICTURE[:, :, :1]
    alpha = np.dstack([PICTURE, np.full((300, 400), 255, np.uint8)])
    pages = rendered(bound(tmp_path, papers.pdf([], []), p1=gray, p2=alpha))
    assert np.array_equal(pages[0], np.repeat(gray, 3, axis=2))
    assert np.array_equal(pages[1], PICTURE)
    Image.fromarray(PICTURE).save(tmp_path / "jpeg", "JPEG", quality=95)
    bind_pdf(tmp_path / "input", {1: tmp_path / "jpeg"}, tmp_path / "result")
    shown = rendered((tmp_path / "result").read_bytes())[0]
    assert np.abs(shown.astype(int) - np.array(Image.open(BytesIO((tmp_path / "jpeg").read_bytes())))).max() <= 3


def filters_of(document: bytes) -> list[str]:
    with Pdf.open(BytesIO(document)) as opened:
        return [str(page.obj.Resources.XObject.P.Filter) for page in opened.pages]


def test_a_scan_that_was_jpeg_becomes_one_again_only_if_that_is_wanted_and_smaller(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, PICTURE.shape, np.uint8)
    blank = np.full_like(noise, 255)
    before = papers.scanned(noise, noise, noise, kinds=["DCTDecode", "FlateDecode", "DCTDecode"])
    lossless = bound(tmp_path, before, p1=noise, p2=noise, p3=blank)
    assert filters_of(lossless) == ["/FlateDecode"] * 3
    bind_pdf(tmp_path / "input", {n: tmp_path / f"p{n}" for n in (1, 2, 3)}, tmp_path / "result", scan_quality=95)
    after = (tmp_path / "result").read_bytes()
    assert filters_of(after) == ["/DCTDecode", "/FlateDecode", "/FlateDecode"]
    assert len(after) < len(lossless)
    pages = rendered(after)
    assert np.abs(pages[0].astype(int) - noise).mean() < 5
    assert np.array_equal(pages[1], noise)


def test_pages_of_a_tiff_keep_their_pixels_modes_and_resolution(tmp_path: Path) -> None:
    fax = Image.fromarray((PICTURE[:, :, 0] > 99).astype(np.uint8) * 255).convert("1")
    deep = Image.fromarray((HUES[:, :, 0] * 200).astype(np.uint16))
    others = [Image.fromarray(PICTURE), deep, Image.fromarray(PICTURE).convert("CMYK")]
    fax.save(tmp_path / "input", "TIFF", save_all=True, append_images=others, dpi=(150, 300))
    (tmp_path / "2").write_bytes(png.write(np.ascontiguousarray(PICTURE[::-1])))
    bind_tiff(tmp_path / "input", 4, {2: tmp_path / "2"}, tmp_path / "result")
    after = Image.open(BytesIO((tmp_path / "result").read_bytes()))
    expected = [fax, Image.fromarray(PICTURE[::-1]), deep, others[2]]
    assert after.n_frames == 4  # type: ignore[attr-defined]
    for index, page in enumerate(expected):
        after.seek(index)
        assert (after.mode, after.size) == (page.mode, page.size)
        assert np.array_equal(np.array(after), np.array(page))
        assert tuple(map(float, after.info["dpi"])) == (150, 300)
    assert len(frames_of((tmp_path / "result").read_bytes())) == 4


def test_a_turned_page_of_a_tiff_is_kept_as_it_is_displayed(tmp_path: Path) -> None:
    page = Image.fromarray(PICTURE)
    page.save(tmp_path / "input", "TIFF", save_all=True, append_images=[page], tiffinfo={274: 6}, dpi=(100, 200))
    shown = np.array(Image.open(BytesIO((tmp_path / "input").read_bytes())))
    assert shown.shape == (400, 300, 3)
    bind_tiff(tmp_path / "input", 2, {}, tmp_path / "result")
    after = Image.open(BytesIO((tmp_path / "result").read_bytes()))
    assert np.array_equal(np.array(after), shown)
    assert after.getexif().get(274, 1) == 1
    assert tuple(map(float, after.info["dpi"])) == (200, 100)


def test_a_page_of_a_tiff_that_cannot_be_decoded_is_left_blank(tmp_path: Path) -> None:
    document = bytearray(papers.tiff(["SALE"], ["ONLY"], compression="tiff_adobe_deflate"))
    first = Image.open(BytesIO(document)).tag_v2[273][0]  # type: ignore[attr-defined]
    document[first : first + 60] = bytes(60)
    (tmp_path / "input").write_bytes(document)
    bind_tiff(tmp_path / "input", 2, {}, tmp_path / "result")
    blank, page = frames_of((tmp_path / "result").read_bytes())
    assert (blank == 255).all()
    assert blank.shape == page.shape
