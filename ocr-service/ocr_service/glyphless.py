"""A font that draws nothing, for text to be searched and copied: 372 bytes of TrueType, and what a PDF says of it.

Every character is the one empty glyph, half an em wide. Which character is meant is told by the ToUnicode map beside
the font (PDF 1.7, 9.10.3), so every script can be written, and a file holds only the characters that it uses.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

ADVANCE = 0.5  # of an em, of every glyph
ASCENT, DESCENT = 0.8, 0.2
CODES = 0xFFFF  # more codes than two bytes hold there are not
_EM = 1000
_MAP_ENTRIES = 100  # of a bfchar block, at most: Adobe technical note 5411
_MAP_HEAD = (
    "/CIDInit /ProcSet findresource begin 12 dict begin begincmap"
    " /CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def"
    " /CMapName /Adobe-Identity-UCS def /CMapType 2 def"
    " 1 begincodespacerange <0000> <FFFF> endcodespacerange\n"
)
_MAP_TAIL = "endcmap CMapName currentdict /CMap defineresource pop end end"


def codes(texts: Iterable[str]) -> dict[str, int]:
    """Give each character of the texts a code, from 1; those beyond what two bytes hold have none."""
    characters = sorted({character for text in texts for character in text})
    return {character: code for code, character in enumerate(characters[:CODES], 1)}


def to_unicode(known: Mapping[str, int]) -> str:
    """Return the map from codes to characters, as a PDF's CMap."""
    entries = [f"<{code:04X}> <{character.encode('utf-16-be').hex()}>\n" for character, code in known.items()]
    blocks = [entries[at : at + _MAP_ENTRIES] for at in range(0, len(entries), _MAP_ENTRIES)]
    return _MAP_HEAD + "".join(f"{len(b)} beginbfchar\n{''.join(b)}endbfchar\n" for b in blocks) + _MAP_TAIL


def to_glyphs(known: Mapping[str, int]) -> bytes:
    """Return the map from codes to glyphs, two bytes each: all are glyph 1."""
    return b"\0\1" * (len(known) + 1)


def font() -> bytes:
    """Return the TrueType file."""
    advance, ascent, descent = round(ADVANCE * _EM), round(ASCENT * _EM), round(-DESCENT * _EM)
    box = (0, descent, advance, ascent)
    # One stroke from corner to corner: it has no area, but without an extent PDFium takes upright text for no text.
    glyph = struct.pack(">h4h2H2B4h", 1, *box, 1, 0, 1, 1, 0, advance, descent, ascent - descent)
    tables = {
        b"cmap": struct.pack(">HHHHI7H5H", 0, 1, 3, 1, 12, 4, 24, 0, 2, 2, 0, 0, 0xFFFF, 0, 0xFFFF, 1, 0),
        b"glyf": glyph,
        b"head": struct.pack(">4I2H2q4h2H3h", 1 << 16, 1 << 16, 0, 0x5F0F3CF5, 0, _EM, 0, 0, *box, 0, 8, 2, 0, 0),
        b"hhea": struct.pack(">I3hH11hH", 1 << 16, ascent, descent, 0, advance, 0, 0, advance, 1, *[0] * 7, 1),
        b"hmtx": struct.pack(">Hhh", advance, 0, 0),
        b"loca": struct.pack(">3H", 0, 0, len(glyph) // 2),
        b"maxp": struct.pack(">I14H", 1 << 16, 2, 2, 1, *[0] * 11),
        b"post": struct.pack(">Ii2h5I", 3 << 16, 0, -100, 50, 1, 0, 0, 0, 0),
    }
    heads, bodies, at = [struct.pack(">I4H", 1 << 16, len(tables), 128, 3, 0)], [], 12 + 16 * len(tables)
    for tag, data in tables.items():
        padded = data + b"\0" * (-len(data) % 4)
        total = sum(struct.unpack(f">{len(padded) // 4}I", padded)) & 0xFFFFFFFF
        heads.append(struct.pack(">4s3I", tag, total, at, len(data)))
        bodies.append(padded)
        at += len(padded)
    return b"".join([*heads, *bodies])
