"""DeepSeek-OCR: behind vLLM's API, or in process through Transformers with the code that lies beside its weights.

Its Markdown comes with markup that says where each piece is; see `grounding`. The model's own code writes its answer to
files and runs on NVIDIA's GPUs only; torch and transformers are imported when it is loaded and nowhere else.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import os
import tempfile
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cleanplate.contract.geometry import Box
from cleanplate.contract.problems import BadUpstream, EngineUnavailable, EngineUnusable
from ocr_service.engines import EngineOptions, Line, PageText, Piece, ReadOptions, refuse_all
from ocr_service.engines.needs import DeepSeekOptions
from ocr_service.grounding import grounded
from ocr_service.vision.client import Client
from ocr_service.vision.replies import CUT_OFF, without_pictures
from ocr_service.vision.streams import Answer, well_formed

log = logging.getLogger(__name__)

PAGE_PROMPT = "<|grounding|>Convert the document to markdown. "
LINES_PROMPT = "<|grounding|>OCR this image. "
PLACE = "<image>\n"  # where in a prompt the picture is; behind vLLM's API the template puts it there
MODEL = "DeepSeek-OCR"
PICTURE_LABELS = frozenset({"image", "figure", "picture", "图片", "图像"})
LABELS = frozenset({*PICTURE_LABELS, "text", "title", "sub_title", "table", "equation", "formula", "list", "code"})
SCORE = 1.0  # the model says nothing of how sure it is


def page_text(answer: Answer, width: int, height: int) -> PageText:
    """Return the page of an answer: pieces of Markdown where they are, pictures where they are to be cut out."""
    pieces: list[Piece] = []
    for found in grounded(answer.text, width, height):
        picture = found.label.lower() in PICTURE_LABELS
        if picture:
            pieces += [Piece("picture", box=box, label=found.label) for box in found.boxes]
        named = picture or found.label.lower() in LABELS or found.label.endswith(("_caption", "_footnote"))
        if text := without_pictures(found.text if found.text or named else found.label):
            box = None if picture or not found.boxes else reduce(Box.union, found.boxes)
            pieces.append(Piece("markdown", text, box, found.label if named else ""))
    return PageText(tuple(pieces), (CUT_OFF,) if answer.finish == "length" else ())


def text_lines(answer: Answer, width: int, height: int) -> list[Line]:
    """Return the lines of an answer, whose labels are the text. Raises BadUpstream: it was cut off."""
    if answer.finish == "length":
        raise BadUpstream("the model's answer was cut off at its limit of tokens")
    found = grounded(answer.text, width, height)
    return [Line(box.polygon(), piece.label, SCORE) for piece in found if piece.label for box in piece.boxes]


class ServedDeepSeek:
    """Behind vLLM's API; see `RemoteEngine`."""

    name = "deepseek"

    def __init__(self, client: Client, prompt: str):
        self._client = client
        self._prompt = prompt or PAGE_PROMPT
        self.model = client.endpoint.model
        self.calls_at_once = client.endpoint.at_once

    async def lines(self, rgb: NDArray[np.uint8], options: ReadOptions) -> list[Line]:
        refuse_all(self.name, options)
        answer = await self._client.ask(LINES_PROMPT, rgb)
        return await asyncio.to_thread(text_lines, answer, rgb.shape[1], rgb.shape[0])

    async def page(self, rgb: NDArray[np.uint8], options: ReadOptions) -> PageText:
        refuse_all(self.name, options)
        answer = await self._client.ask(self._prompt, rgb)
        return await asyncio.to_thread(page_text, answer, rgb.shape[1], rgb.shape[0])

    async def aclose(self) -> None:
        await self._client.close()


class LocalDeepSeek:
    """In process; see `PageEngine`.

    Args:
        infer: the model's own, with the tokenizer at hand.
        options: how to look.
        let_go: gives back the memory of what is no longer referred to.
    """

    name, model, calls_at_once = "deepseek", MODEL, 1

    def __init__(self, infer: Callable[..., Any], options: DeepSeekOptions, let_go: Callable[[], object] = gc.collect):
        self._infer: Callable[..., Any] | None = infer
        self._options = options
        self._let_go = let_go

    def warm_up(self) -> None:
        """Read a small blank page."""
        self._ask(LINES_PROMPT, np.full((64, 64, 3), 255, np.uint8))

    def read(self, rgb: NDArray[np.uint8], options: ReadOptions) -> list[Line]:
        refuse_all(self.name, options)
        return text_lines(self._ask(LINES_PROMPT, rgb), rgb.shape[1], rgb.shape[0])

    def page(self, rgb: NDArray[np.uint8], options: ReadOptions) -> PageText:
        refuse_all(self.name, options)
        return page_text(self._ask(self._options.prompt or PAGE_PROMPT, rgb), rgb.shape[1], rgb.shape[0])

    def close(self) -> None:
        """Drop the model, and what torch keeps of the GPU's memory: it would count as used when it is loaded again."""
        self._infer = None
        self._let_go()

    def _ask(self, prompt: str, rgb: NDArray[np.uint8]) -> Answer:
        """Return the model's answer. It reads the picture from a file and wants a folder to write to."""
        assert self._infer is not None
        chosen = self._options
        with tempfile.TemporaryDirectory(prefix="deepseek-") as folder:
            file = Path(folder) / "page.png"
            Image.fromarray(rgb).save(file, compress_level=1)
            said = self._infer(
                prompt=prompt if PLACE in prompt else PLACE + prompt,
                image_file=str(file),
                output_path=folder,
                base_size=chosen.base_size,
                image_size=chosen.image_size,
                crop_mode=chosen.crop_mode,
                save_results=False,
                eval_mode=True,  # else it prints its answer and returns nothing
            )
        if not isinstance(said, str):
            raise BadUpstream("the model gave no text")
        return Answer(well_formed(said))


def load(*, threads: int, cache: Path | None, options: EngineOptions) -> ServedDeepSeek | LocalDeepSeek:
    """Make the client, or load the model; see `engines.load`."""
    del threads, cache
    chosen = options.deepseek
    if chosen.backend == "vllm":
        return ServedDeepSeek(Client(chosen.endpoint), chosen.prompt)
    return _local(chosen)


def _local(chosen: DeepSeekOptions) -> LocalDeepSeek:
    os.environ["HF_HUB_OFFLINE"] = "1"  # read at import
    torch, transformers = (importlib.import_module(name) for name in ("torch", "transformers"))
    if not torch.cuda.is_available():
        raise EngineUnusable("the engine deepseek cannot be used here: the model's own code needs an NVIDIA GPU")
    local = {"local_files_only": True, "trust_remote_code": chosen.trust_code}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(chosen.weights), **local)
        model = transformers.AutoModel.from_pretrained(
            str(chosen.weights),
            use_safetensors=True,
            torch_dtype=getattr(torch, chosen.dtype),
            _attn_implementation="flash_attention_2" if chosen.flash_attention else "eager",
            **local,
        )
        model = model.eval().cuda()
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        log.warning("DeepSeek-OCR cannot be loaded", exc_info=error)
        raise EngineUnavailable("the engine deepseek cannot be loaded; the log says why") from error

    def infer(**told: Any) -> Any:
        with torch.inference_mode():
            return model.infer(tokenizer, **told)

    def let_go() -> None:
        gc.collect()
        torch.cuda.empty_cache()

    return LocalDeepSeek(infer, chosen, let_go)
