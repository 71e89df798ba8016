"""What a DeepSeek-OCR server is set with, by its README's names; those that mean an engine are with the engines'."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from cleanplate.runtime.settings import JobSettings


def _lower(value: Any) -> Any:
    return str(value).lower() if isinstance(value, str | bool) else value


class DsocrSettings(JobSettings):
    """The settings of the DeepSeek-OCR server's wire. Their variables begin with APP_."""

    slots: int = Field(
        2,
        ge=1,
        le=256,
        description="Jobs that run at once.",
        validation_alias=AliasChoices("OCR_SLOTS", "APP_MAX_WORKERS"),
    )
    app_api_keys: SecretStr = Field(
        SecretStr(""),
        description="More valid API keys, for all wires, separated by commas or as a JSON array.",
        validation_alias=AliasChoices("APP_API_KEYS"),
    )
    app_api_key: SecretStr = Field(
        SecretStr(""), description="One more of them.", validation_alias=AliasChoices("APP_API_KEY")
    )
    app_require_auth: bool | None = Field(
        None,
        description="DeepSeek-OCR's wire. true: without any key it refuses all calls; false: it never needs a key; not"
        " set: it needs one where there are keys.",
        validation_alias=AliasChoices("APP_REQUIRE_AUTH"),
    )
    app_force_cpu: bool = Field(
        False, description="Hide GPUs from the engines.", validation_alias=AliasChoices("APP_FORCE_CPU")
    )
    app_metrics_enabled: bool = Field(
        True, description="Serve /metrics.", validation_alias=AliasChoices("APP_METRICS_ENABLED")
    )
    app_publish_url: str = Field(
        "",
        description="fsspec URL of a folder or bucket to which is copied what a task of DeepSeek-OCR's wire read.",
        validation_alias=AliasChoices("APP_PUBLISH_URL"),
    )
    app_console_enabled: bool = Field(
        True,
        description="Serve the console of DeepSeek-OCR's wire at /.",
        validation_alias=AliasChoices("APP_CONSOLE_ENABLED"),
    )
    app_console_password: SecretStr = Field(
        SecretStr(""),
        description="Signs in to that console; empty: it is open, and asks for a key where one is needed.",
        validation_alias=AliasChoices("APP_CONSOLE_PASSWORD"),
    )
    app_console_session_max_age: int = Field(
        86_400,
        ge=60,
        description="How long that lasts, in seconds.",
        validation_alias=AliasChoices("APP_CONSOLE_SESSION_MAX_AGE"),
    )
    app_session_secret: SecretStr = Field(
        SecretStr(""),
        description="What its cookie is signed with; empty: a secret that is kept in the data folder.",
        validation_alias=AliasChoices("APP_SESSION_SECRET"),
    )
    app_cookie_secure: Annotated[Literal["auto", "true", "false"], NoDecode, BeforeValidator(_lower)] = Field(
        "auto",
        description="Whether that cookie is for https only; auto: if it was given over https.",
        validation_alias=AliasChoices("APP_COOKIE_SECURE"),
    )
    app_cors_allow_origins: str = Field(
        "",
        description="Origins whose web pages may call and read the answers, separated by commas or as a JSON array;"
        " *: all.",
        validation_alias=AliasChoices("APP_CORS_ALLOW_ORIGINS"),
    )
    app_cors_allow_credentials: bool = Field(
        True,
        description="Let those pages send credentials; never where all origins may call.",
        validation_alias=AliasChoices("APP_CORS_ALLOW_CREDENTIALS"),
    )

    @field_validator("app_api_keys", "app_cors_allow_origins")
    @classmethod
    def _readable(cls, given: SecretStr | str) -> SecretStr | str:
        listed(given)
        return given

    def keys(self) -> list[str]:
        """Return the valid API keys, whichever setting they come from."""
        one = self.app_api_key.get_secret_value().strip()
        return [*super().keys(), *listed(self.app_api_keys), *([one] if one else [])]

    def page_origins(self) -> list[str]:
        """Return the origins whose web pages may call while no key is needed."""
        return [*super().page_origins(), *listed(self.app_cors_allow_origins)]


def listed(given: SecretStr | str) -> list[str]:
    """Return what is separated by commas, or is in a JSON array. Raises ValueError."""
    text = given.get_secret_value() if isinstance(given, SecretStr) else given
    found = text.split(",")
    if text.lstrip().startswith("["):
        try:
            found = json.loads(text)
        except ValueError:
            raise ValueError("begins like a JSON array and is none") from None
        if not all(isinstance(one, str) for one in found):
            raise ValueError("must be an array of strings")
    return [one.strip() for one in found if one.strip()]
