"""The seam between the service and whatever finds and reads text: a few protocols, and a table of names.

`rapid` and `paddle` run the same weights (PP-OCRv6 small) and gave the same text on all 45 of a set of test pictures.
Measured by `tests/bench/ocr` on an AMD EPYC with AVX-512, one thread, processor time per picture; memory over many
pictures of up to 1 megapixel, libraries included, then what a further instance adds before its first picture:

| engine | runtime | a picture | load and warm up | memory | a further one |
|---|---|---|---|---|---|
| `rapid` | OpenVINO, 32-bit floats | 0.44 s | 1.6 to 2.2 s | 1.0 GB | 0.2 GB |
| `paddle` | ONNX Runtime | 0.42 s | 2.7 to 3.0 s | 0.9 GB | 0.15 GB |

`rapid` is the default: level here, and on processors with AMX OpenVINO took about half of ONNX Runtime's time for the
same networks.
"""

from ocr_service.engines.lines import Line, PageText, Piece, Word
from ocr_service.engines.loading import languages, load, reading, usable
from ocr_service.engines.needs import EngineOptions
from ocr_service.engines.options import ReadOptions, refuse, refuse_all
from ocr_service.engines.protocols import Describer, PageEngine, RemoteEngine, TextEngine
from ocr_service.engines.table import DEFAULT, ENGINES, EngineEntry

__all__ = [
    "DEFAULT",
    "ENGINES",
    "Describer",
    "EngineEntry",
    "EngineOptions",
    "Line",
    "PageEngine",
    "PageText",
    "Piece",
    "ReadOptions",
    "RemoteEngine",
    "TextEngine",
    "Word",
    "languages",
    "load",
    "reading",
    "refuse",
    "refuse_all",
    "usable",
]
