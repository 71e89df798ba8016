"""What the training pictures are made of: fonts by script, pictures, and words; each split in training and test.

Fonts and pictures come from folders, such as unpacked Debian packages (see README.md). Which half a file belongs to
is decided by its name, so that no font family and no picture is in both.
"""

from __future__ import annotations

import json
import logging
import random
import re
import zlib
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from fontTools.ttLib import TTCollection, TTFont
from numpy.typing import NDArray

log = logging.getLogger(__name__)

Picture = NDArray[np.uint8]

TEST_SHARE = 8  # one in so many
NO_LETTERS = re.compile(
    "symbol|emoji|icon|barcode|braille|math|music|dingbat|blank|dseg|webfont|signwriting|cuneiform|hieroglyph|lastresort"
)
NO_PICTURE = re.compile(
    "normal|sign|logo|text|banner|font|screenshot|_nm|alpha|constellation|nebula|skyculture|thumb", re.I
)
LONGEST_PX = 1000


def _rows(charset: str, first: int, last: int) -> str:
    """Return the characters in these rows of a two-byte character set: the frequent ones of its script."""
    pairs = (bytes((high, low)) for high in range(first, last + 1) for low in range(0xA1, 0xFF))
    return "".join(pair.decode(charset, "ignore") for pair in pairs)


def _span(first: int, last: int) -> str:
    return "".join(map(chr, range(first, last + 1)))


FREQUENT = "e" * 12 + "t" * 9 + "a" * 8 + "oinshr" * 7 + "dlcumwfgypbvk" * 3 + "jxqz" + "éüößñçàøłš"
LETTERS = {
    "latin": FREQUENT,
    "digits": "0123456789" * 3 + ".,%€$-/:+",
    "han": _rows("gb2312", 0xB0, 0xD7),
    "kanji": _rows("euc_jp", 0xB0, 0xCF),
    "hanja": _rows("big5", 0xA4, 0xC5),
    "kana": _span(0x3042, 0x3093) + _span(0x30A2, 0x30F3) + "ーっゃ",
    "hangul": _rows("euc_kr", 0xB0, 0xC8),
    "cyrillic": _span(0x0430, 0x044F),
    "greek": _span(0x03B1, 0x03C9),
    "arabic": _span(0x0627, 0x063A) + _span(0x0641, 0x064A),
    "hebrew": _span(0x05D0, 0x05EA),
    "devanagari": _span(0x0905, 0x0939) + _span(0x093E, 0x0940) * 8,
    "bengali": _span(0x0995, 0x09A8) + _span(0x09AA, 0x09B0) + _span(0x09BE, 0x09C0) * 4,
    "tamil": "கஙசஞடணதநபமயரலவழளறன" + "ாிீு" * 3,
    "thai": _span(0x0E01, 0x0E2E) + _span(0x0E30, 0x0E39),
    "georgian": _span(0x10D0, 0x10F0),
}
SHARES = {
    "latin": 40, "digits": 10, "han": 12, "kanji": 6, "hanja": 3, "kana": 6, "hangul": 6, "cyrillic": 5, "arabic": 4,
    "devanagari": 3, "greek": 1, "hebrew": 1, "bengali": 1, "tamil": 1, "thai": 2, "georgian": 0.5,
}  # fmt: skip
SPACELESS = ("han", "kanji", "hanja", "kana", "thai")


class Materials:
    """Fonts, pictures and words of one half.

    Args:
        fonts: folder that is searched for OpenType files; what was found is kept in `index`.
        pictures: folder that is searched for JPEG, PNG and WebP files.
        index: JSON file, made when it is not there.
        test: which half.
    """

    def __init__(self, fonts: Path, pictures: Path, index: Path, *, test: bool):
        if not index.exists():
            index.write_text(json.dumps({"fonts": _find_fonts(fonts), "pictures": _find_pictures(pictures)}))
        found = json.loads(index.read_text())
        families: dict[str, dict[str, list[tuple[str, int]]]] = defaultdict(lambda: defaultdict(list))
        for family, path, number, scripts in found["fonts"]:
            if _is_test(family) == test:
                for script in scripts:
                    families[script][family].append((path, number))
        self._families = {script: list(by_name.values()) for script, by_name in families.items()}
        self.scripts = [script for script in SHARES if self._families.get(script)]
        self._weights = [SHARES[script] for script in self.scripts]
        self._pictures = {
            kind: [path for path in paths if _is_test(Path(path).stem) == test]
            for kind, paths in found["pictures"].items()
        }
        self._loaded: dict[str, Picture] = {}

    def script(self, rng: random.Random) -> str:
        """Draw a script."""
        return rng.choices(self.scripts, self._weights)[0]

    def font(self, script: str, rng: random.Random) -> tuple[str, int]:
        """Draw a font file that has the script, and the number of the font in it."""
        return rng.choice(rng.choice(self._families[script]))

    def picture(self, kind: str, rng: random.Random) -> Picture:
        """Draw one of the `photos`, the `textures` (H, W, 3) or the `stickers` (H, W, 4), uint8 RGB(A)."""
        path = rng.choice(self._pictures[kind])
        if path not in self._loaded:
            self._loaded[path] = _read(path, kind == "stickers")
        return self._loaded[path]


def words(script: str, rng: random.Random) -> str:
    """Make up a line of text: a word to a sentence."""
    length = rng.choice((2, 3, 4, 5, 6, 8, 10, 14, 18, 24, 32))
    if script in SPACELESS:
        return "".join(rng.choices(LETTERS[script], k=max(1, length * 2 // 3)))
    text = ""
    while len(text) < length:
        text += _cased("".join(rng.choices(LETTERS[script], k=rng.randint(1, 9))), rng) + rng.choice("      ,.!?-:'")
    return text[: max(length, 2)].strip() or "A1"


def _cased(word: str, rng: random.Random) -> str:
    change: Callable[[str], str] = rng.choice((str.lower, str.upper, str.title, str.lower))
    return change(word)


def _is_test(name: str) -> bool:
    return zlib.crc32(name.encode()) % TEST_SHARE == 0


def _family(path: Path) -> str:
    return re.split(r"[-_.]", path.stem)[0].lower().replace("notosans", "noto").replace("notoserif", "notos")


def _find_fonts(folder: Path) -> list[tuple[str, str, int, list[str]]]:
    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in (".ttf", ".otf", ".ttc") and not NO_LETTERS.search(path.name.lower()):
            try:
                fonts = TTCollection(path).fonts if path.suffix.lower() == ".ttc" else [TTFont(path)]
                for number, font in enumerate(fonts[:2]):
                    if scripts := _scripts(set(font.getBestCmap() or ())):
                        found.append((_family(path), str(path), number, scripts))
            except Exception as error:  # a broken file among thousands is no reason to stop
                log.warning("%s: %s", path, error)
    return found


def _scripts(codes: set[int]) -> list[str]:
    has = {script: sum(ord(letter) in codes for letter in letters) for script, letters in LETTERS.items()}
    scripts = [script for script, letters in LETTERS.items() if has[script] >= 0.97 * len(letters)]
    if "han" in scripts and len(scripts) > 7:  # a pan-CJK font: its Latin is the same in all weights
        scripts = [script for script in scripts if script in ("han", "kanji", "hanja", "kana", "hangul")]
    return scripts


def _find_pictures(folder: Path) -> dict[str, list[str]]:
    kinds: dict[str, list[str]] = {"photos": [], "textures": [], "stickers": []}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in (".jpg", ".jpeg", ".png", ".webp") or NO_PICTURE.search(
            str(path.relative_to(folder))
        ):
            continue
        where = str(path.relative_to(folder)).split("/")[0]
        if where in ("openclipart-png", "tuxpaint-stamps-default"):
            if path.stat().st_size > 4000:
                kinds["stickers"].append(str(path))
        elif path.stat().st_size > 60_000:
            image = cv2.imread(str(path))
            if image is not None and min(image.shape[:2]) >= 256 and image.std() > 8:
                kinds["textures" if "supertux" in where else "photos"].append(str(path))
    return kinds


def _read(path: str, with_alpha: bool) -> Picture:
    image = cv2.imread(path, cv2.IMREAD_UNCHANGED if with_alpha else cv2.IMREAD_COLOR)
    assert image is not None, path
    if with_alpha and (image.ndim == 2 or image.dtype != np.uint8):
        image = cv2.imread(path)
        assert image is not None, path
    longest = 360 if with_alpha else LONGEST_PX
    factor = longest / max(image.shape[:2])
    if factor < 1:
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    if with_alpha:
        return np.asarray(
            cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGBA), np.uint8
        )
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
