"""From a request's body to a job: the picture, the options, and the id by which a repeat is found again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from backend.artifacts import INPUT, REGIONS
from backend.options import Options
from backend.presets import Presets, applied
from cleanplate.contract.problems import Invalid, Malformed, TooLarge
from cleanplate.runtime import idempotency
from cleanplate.runtime.bodies import Upload
from cleanplate.runtime.images import PictureLimits, from_base64, probe
from cleanplate.runtime.jobs import NewJob

KIND = "erase"


@dataclass(frozen=True)
class Intake:
    """A request that was read. A rerun has the `regions` of the job that it is a `rerun_of`, and needs no OCR."""

    image: bytes
    options: Options
    name: str
    regions: bytes | None = None
    rerun_of: str | None = None

    def files(self) -> dict[str, bytes]:
        """Return the files that come with the submit."""
        return {INPUT: self.image} | ({} if self.regions is None else {REGIONS: self.regions})

    def new_job(self, owner: str, key: str | None) -> NewJob:
        """Return the job to submit; with an idempotency key it is the same each time.

        Raises:
            Invalid: the key is too long.
        """
        options = self.options.model_dump(mode="json")
        digest = idempotency.digest(options, self.files().values())
        params = {"options": options, "name": self.name, "rerun_of": self.rerun_of}
        return NewJob(idempotency.job_id(key, owner), KIND, params, digest, owner, self.options.priority)


def read_intake(upload: Upload, limits: PictureLimits, presets: Presets) -> Intake:
    """Return the picture and the options of a body. Blocking.

    Raises:
        Invalid: a field is missing, unknown or out of range.
        Malformed: the picture cannot be read.
        TooLarge: the picture is over a limit.
        UnsupportedMedia: it is not a picture of a kind that is read here.
    """
    fields = dict(upload.fields)
    unknown = set(fields) - {"image", "options"}
    if unknown:
        raise Invalid("is not known here; options go into `options`", field=min(unknown))
    image, name = _image(upload, fields, limits)
    probe(image, limits)
    return Intake(image, _options(fields.get("options"), presets), name)


def _image(upload: Upload, fields: dict[str, Any], limits: PictureLimits) -> tuple[bytes, str]:
    for field in ("file", "files", "image"):
        data = upload.file(field)
        if data is not None:
            if len(data) > limits.max_bytes:
                raise TooLarge(f"has {len(data)} bytes", field=field, limit=limits.max_bytes)
            return data, upload.files[field][0].name[:200]
    given = fields.get("image")
    if not isinstance(given, str):
        raise Invalid("send a picture as the multipart file `file`, or in base64 as `image`", field="file")
    return from_base64(given, limits, field="image"), "image"


def _options(given: Any, presets: Presets) -> Options:
    try:
        options = json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        raise Malformed("this is no JSON", field="options") from None
    options = {} if options is None else options
    return Options.model_validate(applied(presets, options) if isinstance(options, dict) else options)
