"""Every kind of picture comes in right, goes out exact, and damage is always a problem and never a crash."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from cleanplate.contract.problems import Invalid, Malformed, Problem, TooLarge, UnsupportedMedia
from cleanplate.runtime.images import Picture, PictureLimits, decode, encode, formats, from_base64, probe
from cleanplate.runtime.images.exif import PREFIX, settle

LIMITS = PictureLimits(max_bytes=10_000_000, max_side=0, max_pixels=4_000_000)
TESTSET = Path(__file__).parents[4] / "shared" / "testset"
PICTURES = sorted(path for path in TESTSET.glob("*/*") if path.suffix in {".png", ".jpg", ".jpeg"})
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GRAY_PROFILE = (SRGB[:16] + b"GRAY" + SRGB[20:])[:400]
RGBA = np.random.default_rng(7).integers(0, 256, (11, 17, 4), np.uint8)
RGB = np.ascontiguousarray(RGBA[..., :3])
DEEP = np.random.default_rng(8).integers(0, 65536, (11, 17, 4), np.uint16)


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    out = BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(rows: NDArray[Any], depth: int, color: int, *chunks: bytes, width: int | None = None) -> bytes:
    """Write a PNG of a depth and color type that Pillow does not write; `rows` are the bytes of each row."""
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width or rows.shape[1], len(rows), depth, color, 0, 0, 0)
    middle = chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IDAT", zlib.compress(raw))
    return b"\x89PNG\r\n\x1a\n" + middle + chunk(b"IEND", b"")


def tiff(pixels: NDArray[Any], photometric: int = 2, sample_format: int = 1) -> bytes:
    """Write an uncompressed TIFF in the byte order of the pixels."""
    order = ">" if pixels.dtype.byteorder == ">" else "<"
    height, width, bands = pixels.shape
    tags = [(256, width), (257, height), (258, pixels.itemsize * 8), (262, photometric), (273, 8), (277, bands)]
    tags += [(278, height), (279, pixels.nbytes), (339, sample_format)]
    entries = b"".join(
        struct.pack(order + "HHII", tag, 4, 1, value)
        if tag not in (258, 339) or bands == 1
        else struct.pack(order + "HHII", tag, 3, bands, 8 + pixels.nbytes + (0 if tag == 258 else 2 * bands))
        for tag, value in tags
    )
    lists = struct.pack(f"{order}{bands * 2}H", *[pixels.itemsize * 8] * bands, *[sample_format] * bands)
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + pixels.nbytes + len(lists))
    return start + pixels.tobytes() + lists + struct.pack(order + "H", len(tags)) + entries + bytes(4)


def cmyk_profile() -> bytes:
    """Return a profile in which only the black ink darkens, which no plain conversion does."""
    grid = bytes(value for corner in range(16) for value in (0 if corner & 1 else 255, 128, 128))
    identity = (65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + struct.pack(">9i", *identity)
    table += bytes(range(256)) * 4 + grid + bytes(range(256)) * 3
    head = struct.pack(">I4sI4s4s4s", 144 + len(table), b"lcms", 0x02400000, b"prtr", b"CMYK", b"Lab ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I4sII", 1, b"A2B0", 144, len(table)) + table


def eight(deep: NDArray[np.uint16]) -> NDArray[np.uint8]:
    return np.floor(deep / 257 + 0.5).astype(np.uint8)


def thrice(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(gray[..., None], 3, axis=2)


def palette() -> Image.Image:
    image = Image.fromarray(np.arange(11 * 17, dtype=np.uint8).reshape(11, 17) % 5)
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 130, 140, 150])
    return image


INDEX = np.asarray(palette())
ALPHAS = np.array([9, 255, 0, 255, 255], np.uint8)
COLORS = np.array([[10, 20, 30], [40, 50, 60], [70, 80, 90], [100, 110, 120], [130, 140, 150]], np.uint8)
BITS = np.random.default_rng(9).integers(0, 256, (6, 2), np.uint8)
BIT = np.unpackbits(BITS, axis=1) * np.uint8(255)
NIBBLE = np.stack([BITS >> 4, BITS & 15], axis=2).reshape(6, 4)
KEY_16 = tuple(int(value) for value in DEEP[0, 0, :3])
ALL_BUT_FIRST = np.full((11, 17), 255, np.uint8)
ALL_BUT_FIRST[0, 0] = 0
G, A = RGBA[..., 0], RGBA[..., 3]
LA = np.ascontiguousarray(RGBA[..., [0, 3]])
BIG = DEEP.astype(">u2")

GRAY = Image.fromarray(G)
COLOR, COLOR_ALPHA = Image.fromarray(RGB), Image.fromarray(RGBA)
FIRST = (int(RGB[0, 0, 0]), int(RGB[0, 0, 1]), int(RGB[0, 0, 2]))
NIBBLE_KEY = chunk(b"tRNS", struct.pack(">H", NIBBLE[0, 0]))
UPSIDE_DOWN = chunk(b"eXIf", b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 0x0112, 3, 1, 3) + bytes(4))
DEEP_8 = eight(DEEP)
DEEP_RGB, DEEP_GRAY = DEEP_8[..., :3], thrice(DEEP_8[..., 0])
DEEP_KEY, DEEP_GRAY_KEY = (chunk(b"tRNS", struct.pack(f">{n}H", *KEY_16[:n])) for n in (3, 1))


def but(transparent: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.where(transparent, 0, 255).astype(np.uint8)


# name: (file, rgb, alpha)
EXACT: dict[str, tuple[bytes, NDArray[np.uint8], NDArray[np.uint8] | None]] = {
    "png 1": (png(BITS, 1, 0, width=16), thrice(BIT), None),
    "png 1 key": (png(BITS, 1, 0, chunk(b"tRNS", b"\0\1"), width=16), thrice(BIT), 255 - BIT),
    "png 4-bit gray key": (png(BITS, 4, 0, NIBBLE_KEY, width=4), thrice(NIBBLE * 17), but(NIBBLE[0, 0] == NIBBLE)),
    "png L": (saved(GRAY, "PNG"), thrice(G), None),
    "png L key": (saved(GRAY, "PNG", transparency=FIRST[0]), thrice(G), but(np.equal(G, FIRST[0]))),
    "png LA": (saved(Image.fromarray(LA), "PNG"), thrice(G), A),
    "png P": (saved(palette(), "PNG"), COLORS[INDEX], None),
    "png P alphas": (saved(palette(), "PNG", transparency=ALPHAS[:3].tobytes()), COLORS[INDEX], ALPHAS[INDEX]),
    "png P key": (saved(palette(), "PNG", transparency=2), COLORS[INDEX], but(INDEX == 2)),
    "png RGB": (saved(COLOR, "PNG"), RGB, None),
    "png RGB key": (saved(COLOR, "PNG", transparency=FIRST), RGB, ALL_BUT_FIRST),
    "png RGBA": (saved(COLOR_ALPHA, "PNG"), RGB, A),
    "png 16 gray": (png(BIG[..., 0], 16, 0), DEEP_GRAY, None),
    "png 16 gray key": (png(BIG[..., 0], 16, 0, DEEP_GRAY_KEY), DEEP_GRAY, ALL_BUT_FIRST),
    "png 16 gray alpha": (png(BIG[..., :2], 16, 4), DEEP_GRAY, DEEP_8[..., 1]),
    "png 16 RGB": (png(BIG[..., :3], 16, 2), DEEP_RGB, None),
    "png 16 RGB key": (png(BIG[..., :3], 16, 2, DEEP_KEY), DEEP_RGB, ALL_BUT_FIRST),
    "png 16 RGBA": (png(BIG, 16, 6), DEEP_RGB, DEEP_8[..., 3]),
    "bmp": (saved(COLOR, "BMP"), RGB, None),
    "bmp P": (saved(palette(), "BMP"), COLORS[INDEX], None),
    "gif": (saved(palette(), "GIF"), COLORS[INDEX], None),
    "gif key": (saved(palette(), "GIF", transparency=3), COLORS[INDEX], but(INDEX == 3)),
    "webp": (saved(COLOR, "WEBP", lossless=True), RGB, None),
    "webp alpha": (saved(COLOR_ALPHA, "WEBP", lossless=True, exact=True), RGB, A),
    "tiff L": (saved(GRAY, "TIFF"), thrice(G), None),
    "tiff LA": (saved(Image.fromarray(LA), "TIFF"), thrice(G), A),
    "tiff RGBA": (saved(COLOR_ALPHA, "TIFF", compression="tiff_lzw"), RGB, A),
    "tiff 16 gray": (saved(Image.fromarray(DEEP[..., 0]), "TIFF"), DEEP_GRAY, None),
    "tiff 16 packed": (saved(Image.fromarray(DEEP[..., 0]), "TIFF", compression="tiff_deflate"), DEEP_GRAY, None),
    "tiff 16 gray big": (tiff(BIG[..., :1], 1), DEEP_GRAY, None),
    "tiff 16 white is 0": (tiff(DEEP[..., :1], 0), 255 - DEEP_GRAY, None),
    "tiff 16 RGB": (tiff(DEEP[..., :3]), DEEP_RGB, None),
    "tiff 16 RGB big": (tiff(BIG[..., :3]), DEEP_RGB, None),
    "tiff 16 RGBA": (tiff(DEEP), DEEP_RGB, DEEP_8[..., 3]),
}


@pytest.mark.parametrize("name", EXACT)
def test_each_mode_decodes_exactly(name: str) -> None:
    data, rgb, alpha = EXACT[name]
    picture = decode(data, LIMITS)
    np.testing.assert_array_equal(picture.rgb, rgb)
    assert (picture.alpha is None) == (alpha is None)
    if picture.alpha is not None:
        np.testing.assert_array_equal(picture.alpha, alpha)
        assert not picture.alpha.flags.writeable
    assert picture.gray == bool((rgb[..., 0] == rgb[..., 1]).all())
    assert picture.rgb.dtype == np.uint8
    assert not picture.rgb.flags.writeable
    assert probe(data, LIMITS) == (picture.format, picture.width, picture.height, 1)


@pytest.mark.parametrize("format", ["png", "webp"])
@pytest.mark.parametrize("name", EXACT)
def test_a_lossless_round_trip_changes_no_pixel(name: str, format: Any) -> None:
    picture = decode(EXACT[name][0], LIMITS)
    out = encode(picture, picture.rgb, format)
    again = decode(out.data, LIMITS)
    assert out.lossless
    np.testing.assert_array_equal(again.rgb, picture.rgb)
    assert (again.alpha is None) == (picture.alpha is None or (format == "webp" and bool((picture.alpha == 255).all())))
    if again.alpha is not None:
        np.testing.assert_array_equal(again.alpha, picture.alpha)


@pytest.mark.parametrize("format", ["JPEG", "AVIF"])
def test_lossy_formats_come_close(format: str) -> None:
    smooth = np.asarray(Image.fromarray(RGB).resize((64, 48), Image.Resampling.BICUBIC))
    picture = decode(saved(Image.fromarray(smooth), format, quality=95, subsampling="4:4:4"), LIMITS)
    assert picture.format == format
    assert np.abs(picture.rgb.astype(int) - smooth).mean() < 4


@pytest.mark.parametrize("pixels", [np.zeros((4, 4, 1), np.float32), np.zeros((4, 4, 1), np.uint32)])
def test_samples_without_an_agreed_white_are_refused(pixels: NDArray[Any]) -> None:
    with pytest.raises(UnsupportedMedia, match="32-bit"):
        probe(tiff(pixels, 1, 3 if pixels.dtype.kind == "f" else 1), LIMITS)


def test_cmyk_is_converted_by_its_profile_which_is_then_dropped() -> None:
    data = saved(Image.new("CMYK", (8, 8), (255, 0, 0, 0)), "JPEG", icc_profile=cmyk_profile(), quality=100)
    picture = decode(data, LIMITS)
    assert picture.rgb.min() > 250  # plainly it would be cyan
    assert picture.icc is None


@pytest.mark.parametrize("icc", [None, b"broken", cmyk_profile()[:300]])
def test_cmyk_without_a_valid_profile_is_converted_plainly(icc: bytes | None) -> None:
    inks = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    picture = decode(saved(inks, "JPEG", quality=100, icc_profile=icc), LIMITS)
    np.testing.assert_allclose(picture.rgb[4, 4], (0, 255, 255), atol=3)
    np.testing.assert_array_equal(decode(saved(inks, "TIFF"), LIMITS).rgb[4, 4], (0, 255, 255))


def test_ycck_is_told_from_cmyk() -> None:
    data = saved(Image.new("CMYK", (8, 8), (255, 128, 128, 0)), "JPEG", quality=100, subsampling=0)
    mark = data.index(b"Adobe") + 11
    assert data[mark] == 0
    picture = decode(data[:mark] + b"\2" + data[mark + 1 :], LIMITS)
    # stored inverted: luma 0, no chroma, so no ink but what luma 0 inverts to
    np.testing.assert_allclose(picture.rgb[4, 4], (255, 255, 255), atol=3)


def test_lab_is_converted() -> None:
    lab = ImageCms.profileToProfile(
        Image.new("RGB", (4, 4), (200, 60, 30)),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    assert lab is not None
    np.testing.assert_allclose(decode(saved(lab, "TIFF"), LIMITS).rgb[0, 0], (200, 60, 30), atol=3)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_and_reset(orientation: int, format: str) -> None:
    stored = np.zeros((32, 48, 3), np.uint8)
    stored[:16, :16] = 255  # the corner tells where up is
    corner = {1: "top left", 2: "top right", 3: "bottom right", 4: "bottom left"} | {
        5: "top left",
        6: "top right",
        7: "bottom right",
        8: "bottom left",
    }
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = saved(Image.fromarray(stored), format, exif=exif, **({"quality": 95} if format != "PNG" else {}))
    picture = decode(data, LIMITS)
    assert picture.size == ((32, 48) if orientation < 5 else (48, 32))
    assert probe(data, LIMITS)[1:3] == (picture.width, picture.height)
    where = corner[orientation].split()
    bright = picture.rgb[:8] if where[0] == "top" else picture.rgb[-8:]
    bright = bright[:, :8] if where[1] == "left" else bright[:, -8:]
    assert bright.mean() > 240
    assert picture.rgb.mean() < 80
    again = decode(encode(picture, picture.rgb, "png").data, LIMITS)
    np.testing.assert_array_equal(again.rgb, picture.rgb)
    assert picture.exif is None or settle(picture.exif)[0] == 1


def test_exif_is_kept_but_for_orientation_and_thumbnail() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Orientation] = "Maker", 6
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = b"note"
    exif.get_ifd(ExifTags.IFD.IFD1)[ExifTags.Base.Make] = "thumb"
    picture = decode(saved(Image.fromarray(RGB), "JPEG", exif=exif), LIMITS)
    for format in ("png", "jpeg", "webp"):
        kept = Image.open(BytesIO(encode(picture, picture.rgb, format).data)).getexif()
        assert (kept[ExifTags.Base.Make], kept[ExifTags.Base.Orientation]) == ("Maker", 1)
        assert kept.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] == b"note"
        assert not kept.get_ifd(ExifTags.IFD.IFD1)


def test_the_thumbnails_pixels_are_blanked() -> None:
    entries = struct.pack("<HHHIIHHII", 2, 0x0201, 4, 1, 44, 0x0202, 4, 1, 5) + bytes(4)
    raw = b"II*\0" + struct.pack("<IHI", 8, 0, 14) + entries + b"PIXEL"
    assert raw[44:49] == b"PIXEL"
    assert settle(raw) == (1, PREFIX + raw[:10] + bytes(4) + raw[14:44] + bytes(5))


@given(
    st.binary(max_size=60), st.sampled_from([b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", PREFIX + b"II*\0\x08\0\0\0", b""])
)
def test_any_exif_settles(tail: bytes, head: bytes) -> None:
    orientation, kept = settle(head + tail)
    assert 1 <= orientation <= 8
    assert kept is None or (settle(kept) == (1, kept))


def test_profiles_text_and_resolution_are_kept() -> None:
    text = PngInfo()
    text.add_text("parameters", "steps: 20")
    text.add_itxt("Title", "题目")
    text.add_itxt("XML:com.adobe.xmp", "<x/>")
    data = saved(Image.fromarray(RGBA), "PNG", icc_profile=SRGB, pnginfo=text, dpi=(300, 150))
    picture = decode(data, LIMITS)
    again = decode(encode(picture, picture.rgb, "same").data, LIMITS)
    for found in (picture, again):
        assert found.icc == SRGB
        assert found.text == {"parameters": "steps: 20", "Title": "题目", "XML:com.adobe.xmp": "<x/>"}
        assert found.dpi == pytest.approx((300, 150), abs=0.1)
    jpeg = decode(encode(picture, picture.rgb, "jpeg").data, LIMITS)
    assert (jpeg.icc, jpeg.dpi) == (SRGB, (300, 150))
    assert decode(encode(picture, picture.rgb, "webp").data, LIMITS).icc == SRGB


@pytest.mark.parametrize("name", [b"iCCP", b"eXIf", b"tEXt", b"zTXt", b"iTXt"])
def test_damage_beside_the_pixels_does_not_fail_a_png(name: bytes) -> None:
    bomb = b"x\0\0" + zlib.compress(bytes(3_000_000))
    wrong_sum = chunk(name, b"abc\0\7def")[:-1] + b"!"
    for bad in (chunk(name, b"abc\0\7def"), chunk(name, bomb), chunk(name, b""), wrong_sum):
        np.testing.assert_array_equal(decode(png(RGB, 8, 2, bad), LIMITS).rgb, RGB)
        behind = png(RGB, 8, 2, UPSIDE_DOWN)
        behind = behind[:-12] + bad + behind[-12:]
        expected = RGB if name == b"eXIf" else RGB[::-1, ::-1]  # of two EXIF chunks the last one counts
        np.testing.assert_array_equal(decode(behind, LIMITS).rgb, expected)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
def test_broken_profile_and_exif_do_not_fail_a_jpeg() -> None:
    data = saved(Image.fromarray(RGB), "JPEG", icc_profile=b"nonsense", exif=b"Exif\0\0II*\0nonsense")
    picture = decode(data, LIMITS)
    assert (picture.icc, picture.exif) == (None, None)


@pytest.mark.parametrize(("profile", "kept"), [(GRAY_PROFILE, True), (SRGB, False)])
def test_gray_stays_gray_and_keeps_only_a_gray_profile(profile: bytes, kept: bool) -> None:
    picture = decode(saved(Image.fromarray(G), "PNG", icc_profile=profile), LIMITS)
    out = Image.open(BytesIO(encode(picture, picture.rgb).data))
    assert out.mode == "L"
    assert out.info.get("icc_profile") == (profile if kept else None)
    colored = Image.open(BytesIO(encode(picture, RGB).data))
    assert colored.mode == "RGB"
    assert "icc_profile" not in colored.info or profile is SRGB


def test_a_colored_picture_that_became_gray_stays_rgb() -> None:
    picture = Picture(rgb=RGB, icc=SRGB)
    assert Image.open(BytesIO(encode(picture, thrice(G)).data)).mode == "RGB"


@pytest.mark.parametrize(
    ("source", "format", "quality", "media_type", "lossless"),
    [
        ("PNG", "same", None, "image/png", True),
        ("JPEG", "same", None, "image/jpeg", False),
        ("WEBP", "same", None, "image/webp", True),
        ("WEBP", "same", 80, "image/webp", False),
        ("GIF", "same", 80, "image/png", True),
        ("PNG", "jpeg", 50, "image/jpeg", False),
    ],
)
def test_the_output_is_what_was_asked(
    source: str, format: Any, quality: int | None, media_type: str, lossless: bool
) -> None:
    out = encode(Picture(rgb=RGB, format=source), RGB, format, quality)
    assert (out.media_type, out.lossless) == (media_type, lossless)
    assert Image.MIME[str(Image.open(BytesIO(out.data)).format)] == media_type
    assert media_type.endswith(out.extension.replace("jpg", "jpeg"))


def test_jpeg_shows_transparency_over_white() -> None:
    alpha = np.zeros((16, 16), np.uint8)
    black = Picture(rgb=np.zeros((16, 16, 3), np.uint8), alpha=alpha)
    assert decode(encode(black, black.rgb, "jpeg").data, LIMITS).rgb.min() > 250


def test_a_format_that_cannot_hold_the_picture_is_refused() -> None:
    wide = Picture(rgb=np.zeros((1, 16384, 3), np.uint8))
    with pytest.raises(Invalid, match="16383") as caught:
        encode(wide, wide.rgb, "webp")
    assert caught.value.field == "output_format"
    assert encode(wide, wide.rgb, "jpeg").media_type == "image/jpeg"


def test_pixels_of_another_size_are_a_defect() -> None:
    with pytest.raises(ValueError, match="pixels are"):
        encode(Picture(rgb=RGB), RGB[1:], "png")


def test_lettering_on_transparency_can_be_seen() -> None:
    alpha = np.zeros((8, 8), np.uint8)
    alpha[2:4] = 255
    for lettering, ground in ((255, 0), (0, 255)):
        seen = Picture(rgb=np.full((8, 8, 3), lettering, np.uint8), alpha=alpha).over()
        assert (seen[2, 0, 0], seen[0, 0, 0]) == (lettering, ground)
    half = Picture(rgb=np.full((1, 1, 3), 100, np.uint8), alpha=np.full((1, 1), 51, np.uint8))
    assert half.over(200)[0, 0].tolist() == [180, 180, 180]
    opaque = Picture(rgb=RGB)
    assert opaque.over() is opaque.rgb


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_of_an_animation_the_first_frame_is_read_or_the_file_refused(format: str) -> None:
    first, *others = (Image.new("RGB", (17, 11), color) for color in ("red", "lime", "blue"))
    options = {"lossless": True} if format == "WEBP" else {"quality": 95} if format == "AVIF" else {}
    data = saved(first, format, save_all=True, append_images=others, **options)
    picture = decode(data, LIMITS)
    assert picture.frames == probe(data, LIMITS).frames == 3
    np.testing.assert_allclose(picture.rgb[5, 8], (255, 0, 0), atol=3)
    with pytest.raises(Invalid, match="3 frames") as caught:
        probe(data, PictureLimits(0, 0, 0, animated="refuse"))
    assert (caught.value.status, caught.value.field) == (422, "image")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", Malformed),
        (b"hello", Malformed),
        (b"GIF89a", Malformed),
        (b"\x89PNG\r\n\x1a\n", Malformed),
        (b"RIFF\x10\0\0\0WEBPVP8X", Malformed),
        (b"\0\0\0\x20ftypavif\0\0\0\0", Malformed),
        (b"%PDF-1.7\n", UnsupportedMedia),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", UnsupportedMedia),
        (b"\0\0\0\x20ftypheic\0\0\0\0", UnsupportedMedia),
        (b"8BPS\0\1", UnsupportedMedia),
    ],
)
def test_what_is_not_a_picture_is_told_from_what_is_not_read(data: bytes, problem: type[Problem]) -> None:
    with pytest.raises(problem) as caught:
        probe(data, LIMITS)
    assert type(caught.value) is problem
    assert caught.value.field == "image"


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (PictureLimits(100, 0, 0), "max_bytes"),
        (PictureLimits(0, 16, 0), "max_side"),
        (PictureLimits(0, 0, 186), "max_pixels"),
    ],
)
def test_a_limit_is_named(limits: PictureLimits, name: str) -> None:
    data = EXACT["png RGB"][0]
    with pytest.raises(TooLarge, match=name) as caught:
        probe(data, limits)
    body = caught.value.body()
    assert (body["field"], body["limit_name"], body["limit"]) == ("image", name, getattr(limits, name))
    probe(data, PictureLimits(len(data), 17, 187))
    probe(data, PictureLimits(0, 0, 0))


def bombs() -> Iterator[tuple[str, bytes]]:
    side = 60_000
    yield (
        "png",
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) + chunk(b"IDAT", b""),
    )
    gif = bytearray(EXACT["gif"][0])
    gif[6:10] = struct.pack("<HH", side, side)
    yield "gif", bytes(gif)
    bmp = bytearray(EXACT["bmp"][0])
    bmp[18:26] = struct.pack("<ii", side, side)
    yield "bmp", bytes(bmp)
    jpeg = bytearray(saved(Image.fromarray(RGB), "JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", side, side)
    yield "jpeg", bytes(jpeg)
    webp = bytearray(saved(Image.fromarray(RGBA), "WEBP", exif=b"Exif\0\0II*\0"))
    webp[24:30] = b"\xfe\x3f\0" * 2
    yield "webp", bytes(webp)


@pytest.mark.parametrize(("kind", "data"), list(bombs()))
@pytest.mark.parametrize("read", [probe, decode])
def test_a_bomb_is_refused_before_it_is_decoded(kind: str, data: bytes, read: Any) -> None:
    with pytest.raises((TooLarge, Malformed)):
        read(data, LIMITS)


def test_a_file_of_a_million_pieces_is_malformed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "READS_LIMIT", 1000)
    pieces = [chunk(b"teSt", b"")] * 1000
    jpeg = saved(COLOR, "JPEG")
    for data in (png(RGB, 8, 2, *pieces), jpeg[:2] + b"\xff\xee\0\2" * 1000 + jpeg[2:], jpeg[:4] + bytes(2000)):
        with pytest.raises(Malformed):
            probe(data, LIMITS)
    decode(saved(COLOR, "PNG"), LIMITS)


def test_large_pictures_are_the_callers_decision() -> None:
    data = saved(Image.new("1", (10_000, 9_000)), "PNG")
    assert probe(data, PictureLimits(0, 0, 0)) == ("PNG", 10_000, 9_000, 1)  # Pillow would warn from 89 million on
    assert Image.MAX_IMAGE_PIXELS is not None


TRUNCATED = ["png RGB", "png P alphas", "png 16 RGB", "bmp", "gif", "webp alpha", "tiff RGBA", "tiff 16 packed"]


@pytest.mark.parametrize("name", [*TRUNCATED, "JPEG", "AVIF"])
def test_a_cut_off_file_is_malformed(name: str) -> None:
    data = EXACT[name][0] if name in EXACT else saved(COLOR, name)
    for length in range(16, len(data) - 32, max(1, len(data) // 12)):
        with pytest.raises(Malformed) as caught:
            decode(data[:length], LIMITS)
        assert caught.value.field == "image"


FUZZED = [data for data, *_ in EXACT.values()] + [
    saved(Image.fromarray(RGB), "JPEG", icc_profile=SRGB, exif=PREFIX + b"II*\0\x08\0\0\0\0\0\0\0\0\0"),
    saved(Image.fromarray(RGBA).convert("CMYK"), "JPEG", icc_profile=cmyk_profile()),
    saved(Image.fromarray(RGBA), "AVIF", speed=10),
    saved(Image.fromarray(G).convert("1"), "TIFF", compression="group4"),
    saved(Image.fromarray(RGB), "TIFF", compression="jpeg"),
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_flipped_bits_are_decoded_or_a_problem(draw: st.DataObject) -> None:
    data = bytearray(draw.draw(st.sampled_from(FUZZED)))
    at = st.integers(0, min(len(data), 250) - 1) | st.integers(0, len(data) - 1)
    for position, bit in draw.draw(st.lists(st.tuples(at, st.integers(0, 7)), min_size=1, max_size=6)):
        data[position] ^= 1 << bit
    with suppress(Problem):
        picture = decode(bytes(data), LIMITS)
        encode(picture, picture.rgb, draw.draw(st.sampled_from(["png", "jpeg", "webp", "same"])))


@given(st.binary(max_size=40))
def test_any_bytes_are_a_problem(data: bytes) -> None:
    with pytest.raises(Problem):
        decode(data, LIMITS)


def differs(path: Path) -> bool:
    picture = decode(path.read_bytes(), LIMITS)
    again = decode(encode(picture, picture.rgb, "png").data, LIMITS)
    same_alpha = (
        again.alpha is None
        if picture.alpha is None
        else again.alpha is not None and np.array_equal(again.alpha, picture.alpha)
    )
    return not (same_alpha and np.array_equal(again.rgb, picture.rgb))


def test_real_pictures_go_through_unchanged_in_several_threads() -> None:
    with ThreadPoolExecutor(4) as threads:
        changed = [
            path.name for path, differed in zip(PICTURES, threads.map(differs, PICTURES), strict=True) if differed
        ]
    assert not changed


@pytest.mark.parametrize(
    "wrap",
    [
        lambda text: text,
        lambda text: "data:image/png;base64," + text,
        lambda text: "DATA:image/png;charset=x;Base64," + text,
        lambda text: "\n".join(text[at : at + 76] for at in range(0, len(text), 76)) + "\r\n",
        lambda text: text.rstrip("="),
        lambda text: text.replace("+", "-").replace("/", "_"),
    ],
)
def test_base64_in_its_usual_shapes_is_read(wrap: Any) -> None:
    data = EXACT["png RGBA"][0] + b"x"
    assert from_base64(wrap(base64.b64encode(data).decode()), LIMITS) == data


@pytest.mark.parametrize(
    "text", ["", "data:image/png;base64,", "a", "####", "Zm9v!", "data:image/png,abc", "data:;base64", "é", "Zg==Zg=="]
)
def test_wrong_base64_names_its_field(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        from_base64(text, LIMITS, field="mask")
    assert caught.value.field == "mask"


def test_base64_is_measured_before_it_is_decoded() -> None:
    data = base64.b64encode(bytes(101)).decode()
    with pytest.raises(TooLarge, match="101 bytes; the limit is 100"):
        from_base64(data, PictureLimits(100, 0, 0))
    assert len(from_base64(data, PictureLimits(101, 0, 0))) == 101
