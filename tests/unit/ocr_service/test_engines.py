"""The table of engines and the embedded weights, without any engine's libraries."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from cleanplate.contract.problems import EngineUnavailable, Invalid
from ocr_service import engines
from ocr_service.engines import ENGINES, EngineOptions, ReadOptions, load, refuse, usable, weights

NAMES = ("PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx")


def nothing(_: EngineOptions) -> str:
    return ""


def onnx(path: Path, characters: str) -> None:
    """Write an ONNX file with no network in it: ir_version, an empty graph of some size, and the metadata."""

    def field(number: int, value: bytes) -> bytes:
        return bytes([number << 3 | 2]) + varint(len(value)) + value

    def varint(value: int) -> bytes:
        return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + varint(value >> 7)

    entry = field(1, b"character") + field(2, characters.encode())
    path.write_bytes(b"\x08\x07" + field(7, b"\x00" * 3000) + field(14, entry))


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package rapidocr that fails when imported, with small weights."""
    models = tmp_path / "site" / "rapidocr" / "models"
    models.mkdir(parents=True)
    (models.parent / "__init__.py").write_text("raise AssertionError('imported')")
    for name in NAMES:
        onnx(models / name, "a\nb\n\u3000\n\U00020000\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, "rapidocr", raising=False)
    return models


def test_the_default_engine_is_in_the_table() -> None:
    assert engines.DEFAULT in ENGINES


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_asking_whether_an_engine_is_usable_imports_nothing(name: str) -> None:
    before = set(sys.modules)
    ok, reason = usable(name)
    assert ok == (not reason)
    assert not {"cv2", "paddleocr", "paddlex", "rapidocr", "openvino", "onnxruntime"} & (set(sys.modules) - before)


def test_an_engine_without_its_packages_says_which_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        engines.table, "ENGINES", {"odd": engines.EngineEntry(("no_such_package", "json"), (), "odd", nothing)}
    )
    assert usable("odd") == (False, "not installed: no_such_package")
    with pytest.raises(EngineUnavailable, match="no_such_package"):
        load("odd")


def test_an_engine_without_its_weights_says_so(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines.table, "ENGINES", {"odd": engines.EngineEntry((), ("other.onnx",), "odd", nothing)})
    assert usable("odd") == (False, "the installed rapidocr does not bring other.onnx")


def test_an_unknown_engine_is_the_callers_fault() -> None:
    with pytest.raises(Invalid) as caught:
        usable("tesseract")
    assert caught.value.field == "engine"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("det_limit_side_len", 0),
        ("det_limit_side_len", 4001),
        ("det_limit_type", "resize_long"),
        ("det_thresh", 0.0),
        ("det_box_thresh", float("nan")),
        ("det_unclip_ratio", -1.5),
        ("rec_score_thresh", 1.01),
    ],
)
def test_an_option_out_of_range_is_named(field: str, value: object) -> None:
    with pytest.raises(Invalid) as caught:
        ReadOptions(**{field: value})  # type: ignore[arg-type]
    assert caught.value.field == field


def test_an_option_that_an_engine_does_not_have_is_refused_and_not_ignored() -> None:
    refuse("odd", ReadOptions(word_boxes=True), "doc_unwarping")
    with pytest.raises(Invalid) as caught:
        refuse("odd", ReadOptions(doc_unwarping=True), "doc_orientation", "doc_unwarping")
    assert caught.value.field == "doc_unwarping"


def test_the_characters_come_from_the_files_metadata(wheel: Path) -> None:
    assert weights.characters(weights.embedded(NAMES[1])) == ["a", "b", "\u3000", "\U00020000"]


def test_a_model_that_does_not_list_its_characters_cannot_be_used(tmp_path: Path) -> None:
    onnx(tmp_path / "empty.onnx", "")
    with pytest.raises(EngineUnavailable, match=r"empty\.onnx"):
        weights.characters(tmp_path / "empty.onnx")


def test_paddles_folders_hold_the_weights_and_say_what_they_are(wheel: Path, tmp_path: Path) -> None:
    detection, recognition = weights.paddle_folders(tmp_path / "cache")
    assert (detection / "inference.onnx").read_bytes() == (wheel / NAMES[0]).read_bytes()
    meta = json.loads((recognition / "inference.yml").read_text(encoding="utf-8"))
    assert meta["Global"] == {"model_name": "PP-OCRv6_small_rec"}
    assert meta["PostProcess"] == {"name": "CTCLabelDecode", "character_dict": ["a", "b", "\u3000", "\U00020000"]}


def test_paddles_folders_are_made_once_and_leave_nothing_else(wheel: Path, tmp_path: Path) -> None:
    first = weights.paddle_folders(tmp_path / "cache")
    stamps = [(folder / "inference.yml").stat().st_mtime_ns for folder in first]
    assert weights.paddle_folders(tmp_path / "cache") == first
    assert [(folder / "inference.yml").stat().st_mtime_ns for folder in first] == stamps
    assert sorted((tmp_path / "cache").iterdir()) == sorted(first)


def test_other_weights_get_other_folders(wheel: Path, tmp_path: Path) -> None:
    _, before = weights.paddle_folders(tmp_path / "cache")
    (wheel / NAMES[1]).unlink()
    onnx(wheel / NAMES[1], "c\nd\ne")
    _, after = weights.paddle_folders(tmp_path / "cache")
    assert after != before


def test_a_cache_that_cannot_be_written_is_a_clear_problem(wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineUnavailable, match="cannot be written"):
        weights.paddle_folders(tmp_path / "file" / "cache")
