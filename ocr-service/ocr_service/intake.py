"""From a request's body to jobs: the documents, what is asked for, and the id by which a repeat is found again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cleanplate.contract.problems import Invalid, TooLarge
from cleanplate.runtime import idempotency
from cleanplate.runtime.bodies import File, Upload
from cleanplate.runtime.jobs import NewJob
from ocr_service.kept import KIND
from ocr_service.pages import PageLimits, choose
from ocr_service.params import DocumentParams
from ocr_service.readers import DESCRIBER, Readers

FIELD = "file"


@dataclass(frozen=True)
class Intake:
    """A document that was checked; `pages` are the indexes of those to read, from 0."""

    data: bytes
    name: str
    params: DocumentParams
    pages: list[int]

    def new_job(self, owner: str, key: str | None) -> NewJob:
        """Return the job to submit; with an idempotency key it is the same each time.

        Raises:
            Invalid: the key is too long.
        """
        options = self.params.model_dump(mode="json")
        params = {"options": options, "name": self.name, "pages": self.pages}
        return NewJob(
            idempotency.job_id(key, KIND, owner), KIND, params, idempotency.digest(options, [self.data]), owner
        )


def read_params(fields: Mapping[str, Any]) -> DocumentParams:
    """Return what is asked for.

    Raises:
        Invalid: a field is unknown or out of range.
    """
    return DocumentParams.model_validate({name: value for name, value in fields.items() if name != FIELD})


def check_params(params: DocumentParams, readers: Readers) -> None:
    """Refuse what cannot be done with the engine that is asked for.

    Raises:
        Invalid: there is no such engine, it cannot be used here, or it cannot do this, or read these languages.
    """
    readers.check(params.engine, params.options().languages)
    writes = readers.can(params.engine, "markdown")
    if params.searchable_pdf and writes:
        raise Invalid("this engine does not say where the lines are", field="searchable_pdf")
    if params.doc_orientation and writes:
        raise Invalid("this engine reads a page as it lies", field="doc_orientation")
    if params.describe_images:
        if writes and not readers.can(params.engine, "pictures"):
            raise Invalid("this engine does not say where the pictures are", field="describe_images")
        if reason := readers.missing(DESCRIBER):
            raise Invalid(f"needs the engine {DESCRIBER}: {reason}", field="describe_images")


def read_document(data: bytes, name: str, params: DocumentParams, limits: PageLimits) -> Intake:
    """Check a document, without rendering or decoding any of it; see `choose` for what it raises. Blocking."""
    most = limits.picture.max_bytes
    if len(data) > most:
        detail = f"has {len(data)} bytes; the limit is {most} (max_file_size)"
        raise TooLarge(detail, field=FIELD, limit=most, limit_name="max_file_size")
    return Intake(data, name[:200], params, choose(data, params.page_ranges, limits))


def the_file(upload: Upload) -> File | str:
    """Return the one document of a body: a file, or text that is base64 or a URL.

    Raises:
        Invalid: there is none, or more than one.
    """
    if upload.file(FIELD) is not None:
        return upload.files[FIELD][0]
    given = upload.fields.get(FIELD)
    if not isinstance(given, str):
        raise Invalid("send a document as the multipart file `file`, or as `file` in base64 or by URL", field=FIELD)
    return given
