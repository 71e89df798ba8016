"""What can be set about the backend."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from backend.presets import read_presets
from cleanplate.runtime.settings import JobSettings

PREFIXES = ("BACKEND_",)


def _readable(path: Path | None) -> Path | None:
    read_presets(path)
    return path


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
    presets: Annotated[Path | None, AfterValidator(_readable)] = Field(
        None, description="TOML file with a table of options for each preset; empty: there are none."
    )

    def body_limit(self) -> int:
        """Return the largest request body: a picture in base64, and the rest."""
        return int(self.max_file_size * 4 / 3) + 1_000_000
