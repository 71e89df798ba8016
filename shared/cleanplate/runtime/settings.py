"""Settings that every service has, and how they are read: from the environment, at the start, once."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from cleanplate.runtime.access import Keys, is_loopback, parsed
from cleanplate.runtime.images import PictureLimits
from cleanplate.runtime.web import invalid

if TYPE_CHECKING:  # see `access`
    from cleanplate.runtime.sessions import Sessions

S = TypeVar("S", bound="ServiceSettings")


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _listed(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _with_known_scopes(keys: SecretStr) -> SecretStr:
    parsed(_listed(keys.get_secret_value()))
    return keys


def _web_address(url: str) -> str:
    if url and not url.startswith(("http://", "https://")):
        raise ValueError("must begin with http:// or https://")
    return url


class ServiceSettings(BaseSettings):
    """The settings that all services share; each has its own prefix."""

    model_config = SettingsConfigDict(
        frozen=True, populate_by_name=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(0, ge=0, le=65535, description="Port to listen on.")
    data: Path = Field(Path("data"), description="Folder for what the service keeps.")
    api_keys: Annotated[SecretStr, AfterValidator(_with_known_scopes)] = Field(
        SecretStr(""),
        description="Valid API keys, separated by commas, each alone or with its scopes: key=read, key=submit+read (as"
        " alone), key=admin; empty: no key needed.",
    )
    allow_anonymous: bool = Field(False, description="Serve without keys on an address that others can reach.")
    origins: str = Field(
        "", description="Origins whose web pages may call while no key is needed, separated by commas; *: all."
    )
    hosts: str = Field(
        "",
        description="Host names by which it may be called while no key is needed, separated by commas, beside those"
        " without a dot, addresses, and that of PUBLIC_URL; *: all.",
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], NoDecode, BeforeValidator(_upper)] = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR.", validation_alias=AliasChoices("LOG_LEVEL")
    )
    otlp_endpoint: Annotated[str, AfterValidator(_web_address)] = Field(
        "",
        description="Collector of OpenTelemetry's that is told of traces: http://HOST:4318; empty: nobody is told.",
    )
    trace_ratio: float = Field(
        1.0, ge=0, le=1, description="Share of the traces that begin here and are told of; others' callers decide it."
    )
    body_timeout_s: float = Field(60.0, gt=0, description="Longest time to receive a request's body.")
    client_timeout_s: float = Field(
        30.0,
        gt=0,
        description="Longest time for the head of a request, and for a client to read nothing of what it was sent, in"
        " seconds; then it is hung up.",
    )
    allow_private_urls: bool = Field(
        False, description="Let URL inputs and callbacks reach private, loopback and link-local addresses."
    )
    max_file_size: int = Field(52_428_800, ge=1, description="Largest picture or other file, in bytes.")
    max_image_size: int = Field(0, ge=0, description="Longest side of a picture, in px; 0: no limit.")
    max_pixels: int = Field(150_000_000, ge=1, description="Largest picture or page, in pixels.")
    animated: Literal["first", "refuse"] = Field(
        "first", description="Whether the first frame of an animated picture is taken, or the picture is refused."
    )

    def picture_limits(self) -> PictureLimits:
        """Return the limits that a picture must keep."""
        return PictureLimits(self.max_file_size, self.max_image_size, self.max_pixels, self.animated)

    def message_limit(self) -> int:
        """Return the largest WebSocket message, in bytes; what is over it ends the connection."""
        return 1_000_000

    def keys(self) -> list[str]:
        """Return the valid API keys, each with its scopes if it is given with some."""
        return _listed(self.api_keys.get_secret_value())

    def guarded(self) -> bool:
        """Say whether who calls must be known."""
        return bool(self.keys())

    def page_origins(self) -> list[str]:
        """Return the origins whose web pages may call while no key is needed."""
        return _listed(self.origins)

    def host_names(self) -> list[str]:
        """Return the names by which the service may be called while no key is needed."""
        return _listed(self.hosts)

    def access(self, sessions: Sessions | None = None) -> Keys:
        """Return who may call, by a key or by signing in."""
        return Keys(self.keys(), self.page_origins(), sessions, self.host_names())

    @classmethod
    def names(cls) -> Iterator[tuple[str, str, str]]:
        """Yield (environment variable, default, description) of every setting; the docs are made from it."""
        others: list[tuple[str, str, str]] = []
        for name, info in cls.model_fields.items():
            first, *more = _variables(cls, name, info.validation_alias)
            default = info.get_default(call_default_factory=True)
            yield first, "" if isinstance(default, SecretStr) else str(default), info.description or ""
            others += [(other, "", f"{first} by another name, where that is not set.") for other in more]
        yield from others


class JobSettings(ServiceSettings):
    """The settings of a service that runs jobs."""

    store_url: str = Field(
        "",
        description="Job store: postgresql+psycopg://USER:PASSWORD@HOST/DATABASE; empty: SQLite in the data folder.",
    )
    files_url: str = Field(
        "",
        description="Files of jobs: a folder, or s3://BUCKET/PREFIX with AWS_* variables; empty: in the data folder.",
    )
    wake_url: str = Field(
        "", description="Redis that tells replicas and workers of news: redis://HOST:PORT/0; empty: they poll."
    )
    broker_url: str = Field(
        "",
        description="Broker of Celery, for workers that run the jobs: redis://HOST:PORT/0 or amqp://HOST; empty: each"
        " replica runs them itself.",
    )
    queue_limit: int = Field(1000, ge=1, description="Jobs that may wait; more are refused with 429.")
    slots: int = Field(2, ge=1, le=256, description="Jobs that run at once.")
    lease_s: float = Field(30.0, gt=0, description="After this many seconds a dead worker's job is taken over.")
    retention_s: float = Field(86_400.0, ge=0, description="Ended jobs are removed after this many seconds.")
    retention_bytes: int = Field(
        10_000_000_000,
        ge=0,
        description="Oldest ended jobs are removed while the files of all ended ones exceed this; 0: no limit.",
    )
    public_url: str = Field("", description="The service's address as clients see it.")
    trusted_proxies: str = Field("", description="Proxies whose X-Forwarded-* headers count: addresses or networks.")
    callback_secret: SecretStr = Field(SecretStr(""), description="Key that callbacks are signed with.")
    callback_tries: int = Field(8, ge=1, le=20, description="Attempts to deliver a callback.")

    def host_names(self) -> list[str]:
        return [*super().host_names(), urlsplit(self.public_url).hostname or ""]

    def proxies(self) -> list[str]:
        """Return the trusted proxies."""
        return _listed(self.trusted_proxies)

    def store(self) -> str:
        """Return the URL of the job store."""
        return self.store_url or f"sqlite:///{self.data.resolve()}/jobs.db"

    def files(self) -> str:
        """Return the URL of the files."""
        return self.files_url or str(self.data.resolve() / "files")


def read_settings(cls: type[S], prefixes: tuple[str, ...]) -> S:
    """Return the settings from the environment, or end the process with a message that says what is wrong.

    Args:
        cls: the service's settings.
        prefixes: variables that begin so must be known, so that a misspelled one is not ignored.
    """
    variables = {name: _variables(cls, name, info.validation_alias) for name, info in cls.model_fields.items()}
    known = {choice for choices in variables.values() for choice in choices}
    for name in sorted(os.environ):
        if name.upper().startswith(prefixes) and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, 1)
            hint = f"did you mean {near[0]}? " if near else ""
            _refuse(f"unknown setting {name}; {hint}known: {', '.join(sorted(known))}")
    try:
        settings = cls()
    except ValidationError as error:
        wrong = [(item["field"], item["message"]) for item in invalid(error).extra["errors"]]
        _refuse("bad setting: " + "; ".join(f"{variables.get(name, [name])[0]}: {text}" for name, text in wrong))
    if not settings.guarded() and not settings.allow_anonymous and not is_loopback(settings.host):
        prefix = cls.model_config.get("env_prefix", "")
        _refuse(
            f"listening on {settings.host} without keys lets everybody in: set {prefix}API_KEYS,"
            f" or {prefix}ALLOW_ANONYMOUS=true if that is meant"
        )
    return settings


def _variables(cls: type[ServiceSettings], name: str, alias: object) -> list[str]:
    if isinstance(alias, AliasChoices):
        return [str(choice).upper() for choice in alias.choices]
    return [f"{cls.model_config.get('env_prefix', '')}{name}".upper()]


def _refuse(message: str) -> NoReturn:
    sys.stderr.write(f"cleanplate: {message}\n")
    raise SystemExit(2)
