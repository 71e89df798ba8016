"""What can be set about the backend."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, ValidationInfo
from pydantic_settings import SettingsConfigDict

from backend.papers import PaperLimits
from backend.presets import read_presets
from cleanplate.runtime.settings import JobSettings

PREFIXES = ("BACKEND_",)


def _readable(path: Path | None) -> Path | None:
    read_presets(path)
    return path


def _with_secret(url: str, others: ValidationInfo) -> str:
    if url and not url.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    if url and not others.data.get("callback_secret", SecretStr("")).get_secret_value():
        raise ValueError("needs BACKEND_CALLBACK_SECRET: callbacks that are not signed are refused")
    return url


class BackendSettings(JobSettings):
    """Settings of the backend."""

    model_config = SettingsConfigDict(env_prefix="BACKEND_")

    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    data: Path = Field(Path("data/backend"), description="Folder for the database and the files of jobs.")
    slots: int = Field(4, ge=1, le=256, description="Jobs that run at once.")
    ocr_url: str = Field("http://127.0.0.1:8082", description="Where the ocr-service answers.")
    ocr_key: SecretStr = Field(SecretStr(""), description="API key for the ocr-service.")
    inpaint_url: str = Field("http://127.0.0.1:8081", description="Where the inpaint-service answers.")
    inpaint_key: SecretStr = Field(SecretStr(""), description="API key for the inpaint-service.")
    patience_s: float = Field(
        300.0, gt=0, description="How long a service that is down or busy is asked again before the job fails."
    )
    call_timeout_s: float = Field(300.0, gt=0, description="Longest time for one call to a service.")
    fetch_timeout_s: float = Field(30.0, gt=0, description="Longest time to fetch a picture by its URL.")
    key_quota: int = Field(
        0,
        ge=0,
        description="Jobs of one key that may wait or run, or of all callers without a key; more are refused with 429;"
        " 0: no limit.",
    )
    pdf_dpi: int = Field(200, ge=18, le=1200, description="Pixels per inch at which PDF pages are rendered.")
    max_pages: int = Field(500, ge=1, description="Pages of one document that are erased.")
    page_timeout_s: float = Field(60.0, gt=0, description="Longest time to render one page.")
    batch_limit: int = Field(100, ge=2, le=1000, description="Files of one request, each of which becomes a job.")
    presets: Annotated[Path | None, AfterValidator(_readable)] = Field(
        None, description="TOML file with a table of options for each preset; empty: there are none."
    )
    callback_url: Annotated[str, AfterValidator(_with_secret)] = Field(
        "",
        description="This service's address as the inpaint-service reaches it, to be told there when a task has ended,"
        " signed with INPAINT_CALLBACK_SECRET, which must be BACKEND_CALLBACK_SECRET; empty: not asked for.",
    )
    console_password: SecretStr = Field(
        SecretStr(""),
        description="Password of the console; who has no API key must sign in with it. APP_CONSOLE_PASSWORD is read"
        " too. Empty: none.",
        validation_alias=AliasChoices("BACKEND_CONSOLE_PASSWORD", "APP_CONSOLE_PASSWORD"),
    )
    session_secret: SecretStr = Field(
        SecretStr(""),
        description="Key that the console's cookies are signed with, the same for all backends behind one address;"
        " empty: one that is made once and kept in the data folder.",
    )
    cookie_secure: Literal["auto", "true", "false"] = Field(
        "auto", description="Whether the console's cookie is for https only; auto: when it was given over https."
    )

    def guarded(self) -> bool:
        """Say whether who calls must be known."""
        return super().guarded() or bool(self.console_password.get_secret_value())

    def paper_limits(self) -> PaperLimits:
        """Return the limits that a picture or a document must keep."""
        return PaperLimits(self.picture_limits(), self.max_pages, self.pdf_dpi, self.page_timeout_s)

    def body_limit(self) -> int:
        """Return the largest request body: a picture in base64, and the rest."""
        return int(self.max_file_size * 4 / 3) + 1_000_000
