"""The weights that come with an installed package, laid out in the folders that PaddleOCR expects; never a download.

RapidOCR's wheel holds PP-OCRv6 small as ONNX files (Apache-2.0). PaddleOCR wants a folder per model with
`inference.onnx` and `inference.yml`. Reading or running the networks is left to the engines.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from cleanplate.contract.problems import EngineUnavailable, EngineUnusable

MODEL: Final = "PP-OCRv6_small"
DETECTION, RECOGNITION, ORIENTATION = (
    "PP-OCRv6_det_small.onnx",
    "PP-OCRv6_rec_small.onnx",
    "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
)
# The PreProcess and PostProcess of PP-OCRv6, as in paddlex 3.7 (modules/base/utils/pdparams2safetensors).
_DETECTION_META: dict[str, Any] = {
    "PreProcess": {
        "transform_ops": [
            {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
            {"DetResizeForTest": {"resize_long": 960}},
            {
                "NormalizeImage": {
                    "mean": [0.485, 0.456, 0.406],
                    "std": [0.229, 0.224, 0.225],
                    "scale": "1./255.",
                    "order": "hwc",
                }
            },
            {"ToCHWImage": None},
        ]
    },
    "PostProcess": {
        "name": "DBPostProcess",
        "thresh": 0.3,
        "box_thresh": 0.6,
        "max_candidates": 1000,
        "unclip_ratio": 1.5,
    },
}
_RECOGNITION_META: dict[str, Any] = {
    "PreProcess": {
        "transform_ops": [
            {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
            {"RecResizeImg": {"image_shape": [3, 48, 320]}},
        ]
    },
    "PostProcess": {"name": "CTCLabelDecode"},
}
_METADATA_FIELD = 14  # ModelProto.metadata_props
_LENGTH_DELIMITED = 2


def default_cache() -> Path:
    """Return where prepared folders are kept unless a caller says otherwise: the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cleanplate" / "ocr"


def embedded(name: str) -> Path:
    """Return the path of a weights file inside the installed RapidOCR, which is not imported.

    Raises:
        EngineUnusable: RapidOCR, or this file in it, is not installed.
    """
    spec = importlib.util.find_spec("rapidocr")
    if spec is None or spec.origin is None:
        raise EngineUnusable("the package rapidocr, which brings the weights, is not installed")
    path = Path(spec.origin).parent / "models" / name
    if not path.is_file():
        raise EngineUnusable(f"the installed rapidocr does not bring {name}")
    return path


def characters(path: Path) -> list[str]:
    """Return the characters that a recognition model tells apart, in the order of its classes, without the blank.

    Raises:
        EngineUnusable: the file does not say.
    """
    listed = onnx_metadata(path).get("character")
    if not listed:
        raise EngineUnusable(f"{path.name} has no list of characters in its metadata")
    return listed.splitlines()


def paddle_folders(cache: Path | None = None) -> tuple[Path, Path]:
    """Return the folders (detection, recognition) for PaddleOCR's onnxruntime engine, made on the first call.

    Args:
        cache: where to keep them; `default_cache()` when not given. Several processes may share it.

    Raises:
        EngineUnavailable: the weights are missing or the folder cannot be written.
    """
    cache = cache or default_cache()
    detection, recognition = embedded(DETECTION), embedded(RECOGNITION)
    try:
        return (
            _folder(cache, f"{MODEL}_det", detection, _DETECTION_META, []),
            _folder(cache, f"{MODEL}_rec", recognition, _RECOGNITION_META, characters(recognition)),
        )
    except OSError as error:
        raise EngineUnavailable(f"the folder for prepared weights cannot be written: {error}") from error


def onnx_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of an ONNX file, read from the protobuf wire format without loading the network."""
    with path.open("rb") as file:
        return dict(_entry(value) for number, value in _fields(file) if number == _METADATA_FIELD and value)


def _folder(cache: Path, name: str, onnx: Path, meta: dict[str, Any], listed: list[str]) -> Path:
    """Make the folder under another name and rename it, so that no process ever sees half of it."""
    stamp = onnx.stat()
    folder = cache / f"{name}-{stamp.st_size:x}-{stamp.st_mtime_ns:x}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=cache))
    try:
        _link(onnx, making / "inference.onnx")
        (making / "inference.yml").write_text(_yml(name, meta, listed), encoding="utf-8")
        with contextlib.suppress(FileExistsError, OSError):  # another process was faster
            making.rename(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    if not folder.is_dir():
        raise OSError(f"cannot make {folder}")
    return folder


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or links forbidden
        shutil.copyfile(source, target)


def _yml(name: str, meta: dict[str, Any], listed: list[str]) -> str:
    """Write the metadata as JSON, which YAML includes; PyYAML rejects a few raw characters and surrogate pairs."""
    post = {**meta["PostProcess"], **({"character_dict": listed} if listed else {})}
    text = json.dumps({"Global": {"model_name": name}, **meta, "PostProcess": post}, ensure_ascii=False)
    return re.sub("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", lambda found: f"\\u{ord(found[0]):04x}", text)


def _fields(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield (field number, bytes) of a message's length-delimited fields; what is not metadata is skipped, empty."""
    while (tag := _varint(file)) is not None:
        number, kind = tag >> 3, tag & 7
        if kind == _LENGTH_DELIMITED:
            length = _varint(file) or 0
            wanted = number == _METADATA_FIELD or (number <= 2 and length < 2**20)
            yield number, file.read(length) if wanted else b""
            if not wanted:
                file.seek(length, os.SEEK_CUR)
        elif kind == 0:
            _varint(file)
        else:
            file.seek({1: 8, 5: 4}[kind], os.SEEK_CUR)


def _varint(file: BinaryIO) -> int | None:
    value = shift = 0
    while byte := file.read(1):
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
        shift += 7
    return None


def _entry(message: bytes) -> tuple[str, str]:
    """Decode a StringStringEntryProto: key is field 1, value field 2."""
    found = dict(_fields(io.BytesIO(message)))
    return found.get(1, b"").decode(), found.get(2, b"").decode()
