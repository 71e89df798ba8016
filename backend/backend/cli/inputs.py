"""Which pictures and documents a command line means, and where each result goes. Looks at folders; opens no file."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif"})
PDF = ".pdf"
TAKEN = PICTURES | {PDF}
FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".jfif": "jpeg", ".webp": "webp"}
EXTENSIONS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}
SAME = "same"
DEFAULT_FORMAT = "png"
TIFF = "image/tiff"
TYPES = {
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg", ".jfif"),
    "image/webp": (".webp",),
    TIFF: (".tif", ".tiff"),
    "application/pdf": (PDF,),
}


class UsageError(Exception):
    """The command line cannot be carried out as it stands."""


@dataclass(frozen=True)
class Found:
    """A picture; `place` is where its result goes below an output folder, still with the picture's own suffix."""

    path: Path
    place: Path
    in_folder: bool = False


@dataclass(frozen=True)
class Item:
    """One picture to erase: where it is, where the result goes, and in which format."""

    source: Path
    target: Path
    format: str

    def place(self, media_type: str) -> Path:
        """Return where a result of this type goes: a TIFF of several pages stays one, whatever was asked for."""
        suffixes = TYPES.get(media_type, (self.target.suffix,))
        if self.target.suffix.lower() in suffixes:
            return self.target
        places = [self.target.with_suffix(suffix) for suffix in suffixes]
        return next(place for place in places if place.resolve() != self.source.resolve())

    def existing(self) -> Path | None:
        """Return where its result is already."""
        places = [self.target, *([self.place(TIFF)] if self.source.suffix.lower() in TYPES[TIFF] else [])]
        return next((place for place in places if place.exists()), None)


@dataclass(frozen=True)
class Plan:
    """What there is to do. In a folder of results those that are there already are kept; a named file is not."""

    items: tuple[Item, ...]
    keeps_existing: bool


def find(arguments: Sequence[str], apart_from: Path | None = None, taken: frozenset[str] = TAKEN) -> list[Found]:
    """Return the pictures of files, folders (with all below them) and glob patterns, each once.

    A file that is named is taken whatever it is called, and also when it does not exist: whoever opens it says so.

    Args:
        arguments: as on the command line.
        apart_from: the folder of results, which is passed over when it lies in a folder of pictures.
        taken: the suffixes of what is taken from folders and patterns.

    Raises:
        UsageError: there is no picture at all.
    """
    found: dict[Path, Found] = {}
    for argument in arguments:
        for picture in _matches(argument, apart_from, taken):
            found.setdefault(picture.path.resolve(), picture)
    if not found:
        raise UsageError(f"no pictures in {', '.join(arguments)}; known are {', '.join(sorted(taken))}")
    return list(found.values())


def plan(found: Sequence[Found], out: str, format: str | None = None, *, force: bool = False) -> Plan:
    """Decide where each result goes.

    `out` is a file when its suffix is that of a picture and it is no folder; else it is a folder.

    Args:
        found: the pictures.
        out: as on the command line.
        format: png, jpeg, webp or same; None is what the suffix of `out` says, else png.
        force: whether a picture may be replaced by its own result.

    Raises:
        UsageError: the pictures, `out` and `format` do not go together.
    """
    path = Path(out)
    if path.is_dir() or out.endswith(("/", os.sep)) or path.suffix.lower() not in TAKEN:
        if path.exists() and not path.is_dir():
            raise UsageError(f"{out} is a file, but no picture; name a folder, or a file with a picture's suffix")
        return Plan(tuple(_into_folder(found, path, format or DEFAULT_FORMAT)), keeps_existing=True)
    if len(found) > 1 or found[0].in_folder:
        raise UsageError(f"{len(found)} pictures from folders or patterns need a folder, not the file {out}")
    item = Item(found[0].path, path, _file_format(found[0].path, path, format))
    if not force and path.exists() and path.resolve() == item.source.resolve():
        raise UsageError(f"{out} is the picture itself; --force replaces it")
    return Plan((item,), keeps_existing=False)


def _matches(argument: str, apart_from: Path | None, taken: frozenset[str]) -> Iterator[Found]:
    path = Path(argument)
    if path.is_dir():
        yield from _below(path, apart_from, taken)
    elif os.path.lexists(path) or not glob.has_magic(argument):
        yield Found(path, Path(path.name))
    else:
        for match in sorted(map(Path, glob.glob(argument, recursive=True))):
            if match.is_file() and match.suffix.lower() in taken:
                yield Found(match, Path(match.name))


def _below(folder: Path, apart_from: Path | None, taken: frozenset[str]) -> Iterator[Found]:
    """Yield the pictures in a folder in a fixed order; what is hidden is passed over."""
    skipped = apart_from.resolve() if apart_from is not None else None
    for place, folders, names in os.walk(folder):
        here = Path(place)
        folders[:] = sorted(name for name in folders if name[0] != "." and (here / name).resolve() != skipped)
        for name in sorted(names):
            if name[0] != "." and Path(name).suffix.lower() in taken:
                yield Found(here / name, (here / name).relative_to(folder), in_folder=True)


def _file_format(source: Path, path: Path, format: str | None) -> str:
    if PDF in (kinds := (source.suffix.lower(), path.suffix.lower())):
        if kinds != (PDF, PDF):
            raise UsageError(
                f"what is made of a PDF is a PDF, and of a picture a picture: {source} and {path} are two kinds"
            )
        return _page_format(format)
    own = FORMATS.get(path.suffix.lower())
    if own is None:
        raise UsageError(f"{path.suffix} is not written; use one of {', '.join(FORMATS)}")
    if format not in (None, SAME, own):
        raise UsageError(f"--format {format} and the suffix of {path} contradict each other")
    return own


def _page_format(format: str | None) -> str:
    """Return how the pages of a PDF are kept: as JPEG where that was asked for."""
    return "jpeg" if format == "jpeg" else SAME


def _into_folder(found: Sequence[Found], folder: Path, format: str) -> Iterator[Item]:
    taken: set[str] = set()
    for picture in found:
        suffix = picture.path.suffix.lower()
        own = FORMATS.get(suffix, DEFAULT_FORMAT) if format == SAME else format
        wanted = picture.place.with_name(picture.place.stem + (PDF if suffix == PDF else EXTENSIONS[own]))
        place, number = wanted, 1
        while str(place).casefold() in taken:
            number += 1
            place = wanted.with_stem(f"{wanted.stem}-{number}")
        taken.add(str(place).casefold())
        yield Item(picture.path, folder / place, _page_format(format) if suffix == PDF else own)
