"""From a request's body to a job: the picture or document, the options, and the id by which a repeat is found again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import ValidationError

from backend.artifacts import INPUT
from backend.options import Options
from backend.papers import Paper, PaperLimits, read_paper
from backend.presets import Presets, applied
from cleanplate.contract.problems import Invalid, Malformed, Problem, TooLarge
from cleanplate.runtime import idempotency
from cleanplate.runtime.bodies import File, Upload
from cleanplate.runtime.images import from_base64, probe
from cleanplate.runtime.jobs import NewJob
from cleanplate.runtime.web import invalid

KIND = "erase"
URL_FIELD = "url"
_FILE_FIELDS = "file", "files", "image", URL_FIELD


@dataclass(frozen=True)
class Intake:
    """A file that was checked; `paper` says what it is when it is a document.

    A rerun has the `regions` of the job that it is a `rerun_of`, by the names of their files, and needs no OCR.
    """

    data: bytes
    options: Options
    name: str
    regions: Mapping[str, bytes] = field(default_factory=dict)
    rerun_of: str | None = None
    paper: Paper | None = None

    def files(self) -> dict[str, bytes]:
        """Return the files that come with the submit."""
        return {INPUT: self.data, **self.regions}

    def new_job(self, owner: str, key: str | None) -> NewJob:
        """Return the job to submit; with an idempotency key it is the same each time.

        Raises:
            Invalid: the key is too long.
        """
        options = self.options.model_dump(mode="json")
        digest = idempotency.digest(options, self.files().values())
        paper = None if self.paper is None else asdict(self.paper)
        params = {"options": options, "name": self.name, "rerun_of": self.rerun_of, "paper": paper}
        return NewJob(idempotency.job_id(key, owner), KIND, params, digest, owner, self.options.priority)


def read_intakes(upload: Upload, limits: PaperLimits, presets: Presets, most: int) -> list[Intake]:
    """Return what is to be erased, and how: one file, or a batch of up to `most`. Blocking.

    Raises:
        Invalid: a field is missing, unknown or out of range, or there are too many files.
        Malformed: a file cannot be read.
        TooLarge: a file is over a limit.
        UnsupportedMedia: it is of a kind that is not read here.
    """
    unknown = set(upload.fields) - {"image", "options"}
    if unknown:
        raise Invalid("is not known here; options go into `options`", field=min(unknown))
    options = _options(upload.fields.get("options"), presets)
    (name, files), given = _files(upload), upload.fields.get("image")
    if not files:
        if not isinstance(given, str):
            raise Invalid("send a file as the multipart field `file`, or in base64 as `image`", field="file")
        return [_read(File("image", from_base64(given, limits.picture, field="image")), options, limits, None)]
    if len(files) > most:
        raise TooLarge(f"{len(files)} files; at most {most} make a batch", field="files", limit=most)
    if len(files) == 1:
        return [_read(files[0], options, limits, name)]
    return [_read(file, options, limits, f"files[{index}]") for index, file in enumerate(files)]


def checked(data: bytes, options: Options, limits: PaperLimits) -> Paper | None:
    """Return what document the file is, None for a picture; see `read_intakes` for what it raises. Blocking."""
    paper = read_paper(data, options.pages, limits)
    if paper is None:
        probe(data, limits.picture)
    elif options.output_format not in (("png", "same", "jpeg") if paper.kind == "pdf" else ("png", "same")):
        raise Invalid(f"a {paper.kind.upper()} cannot hold its pages so", field="options.output_format")
    return paper


def _read(file: File, options: Options, limits: PaperLimits, field: str | None) -> Intake:
    """Return the file as it was checked; a problem with it names the `field`, if any, instead of its own."""
    most = limits.picture.max_bytes
    try:
        if most and len(file.data) > most:
            raise TooLarge(f"has {len(file.data)} bytes", field="file", limit=most)
        paper = checked(file.data, options, limits)
    except Problem as problem:
        if field is not None and not (problem.field or "").startswith("options"):
            problem.field = field
        raise
    return Intake(file.data, options, file.name[:200], paper=paper)


def _files(upload: Upload) -> tuple[str, list[File]]:
    """Return the field that has files, and these."""
    if len(upload.files.get("file", ())) > 1 or len(upload.files.get("image", ())) > 1:
        raise Invalid("send several files as `files`, for a batch", field="file", limit=1)
    return next(((name, upload.files[name]) for name in _FILE_FIELDS if upload.files.get(name)), ("file", []))


def _options(given: Any, presets: Presets) -> Options:
    try:
        options = json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        raise Malformed("this is no JSON", field="options") from None
    options = {} if options is None else options
    return options_of(applied(presets, options) if isinstance(options, dict) else options)


def options_of(given: Any) -> Options:
    """Return the options that were given. Raises Invalid."""
    try:
        return Options.model_validate(given)
    except ValidationError as error:
        raise invalid(error, "options") from None
