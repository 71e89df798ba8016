"""What can be set about the backend."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from cleanplate.runtime.images import PictureLimits
from cleanplate.runtime.settings import JobSettings

PREFIXES = ("BACKEND_",)


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
    max_file_size: int = Field(52_428_800, ge=1, description="Largest picture file, in bytes.")
    max_image_size: int = Field(0, ge=0, description="Longest side of a picture, in px; 0: no limit.")
    max_pixels: int = Field(150_000_000, ge=1, description="Largest picture, in pixels.")
    animated: Literal["first", "refuse"] = Field(
        "first", description="Whether the first frame of an animated picture is taken, or the picture is refused."
    )
    public_url: str = Field("", description="The backend's address as clients see it.")
    trusted_proxies: str = Field("", description="Proxies whose X-Forwarded-* headers count: addresses or networks.")
    callback_secret: SecretStr = Field(SecretStr(""), description="Key that callbacks are signed with.")
    callback_tries: int = Field(8, ge=1, le=20, description="Attempts to deliver a callback.")

    def picture_limits(self) -> PictureLimits:
        """Return the limits that a picture must keep."""
        return PictureLimits(self.max_file_size, self.max_image_size, self.max_pixels, self.animated)

    def body_limit(self) -> int:
        """Return the largest request body: a picture in base64, and the rest."""
        return int(self.max_file_size * 4 / 3) + 1_000_000

    def proxies(self) -> list[str]:
        """Return the trusted proxies."""
        return [proxy.strip() for proxy in self.trusted_proxies.split(",") if proxy.strip()]
