"""Settings: all described, all listed, and none misspelled."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from backend.settings import PREFIXES as BACKEND
from backend.settings import BackendSettings
from cleanplate.runtime.settings import ServiceSettings, read_settings
from inpaint_service.settings import PREFIXES as INPAINT
from inpaint_service.settings import InpaintSettings
from ocr_service.settings import PREFIXES as OCR
from ocr_service.settings import OcrSettings

SERVICES: dict[str, tuple[type[ServiceSettings], tuple[str, ...]]] = {
    "inpaint-service": (InpaintSettings, INPAINT),
    "ocr-service": (OcrSettings, OCR),
    "backend": (BackendSettings, BACKEND),
}
OWN = {"inpaint-service": "INPAINT_", "ocr-service": "OCR_", "backend": "BACKEND_"}
every_service = pytest.mark.parametrize("service", SERVICES)


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("INPAINT_", "IOPAINT_", "OCR_", "BACKEND_")) or name == "LOG_LEVEL":
            monkeypatch.delenv(name)


def read(service: str, monkeypatch: pytest.MonkeyPatch, **environment: str) -> Any:
    for name, value in {f"{OWN[service]}ALLOW_ANONYMOUS": "true", **environment}.items():
        monkeypatch.setenv(name, value)
    return read_settings(*SERVICES[service])


def refusal(
    service: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **environment: str
) -> str:
    with pytest.raises(SystemExit) as ended:
        read(service, monkeypatch, **environment)
    assert ended.value.code == 2
    return capsys.readouterr().err


@every_service
def test_every_setting_is_listed_and_described(service: str) -> None:
    cls, prefixes = SERVICES[service]
    listed = list(cls.names())
    assert len(listed) >= len(cls.model_fields)
    assert len({name for name, _, _ in listed}) == len(listed)
    for name, _, description in listed:
        assert description.endswith("."), f"{name} needs a sentence"
        assert "\n" not in description
        assert name == name.upper()
    assert any(name.startswith(prefixes) for name, _, _ in listed)


@every_service
def test_every_listed_name_sets_its_setting(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cls, _ = SERVICES[service]
    for (name, shown, _), (field, info) in zip(cls.names(), cls.model_fields.items(), strict=False):  # then aliases
        default = info.get_default(call_default_factory=True)
        assert shown == ("" if isinstance(default, SecretStr) else str(default))
        if isinstance(default, bool) or not isinstance(default, int | float):
            continue
        is_most = default in [getattr(bound, "le", None) for bound in info.metadata]
        other = default / 2 if is_most else default + 1
        with monkeypatch.context() as patch:
            patch.setenv(name, str(other))
            assert getattr(cls(), field) == other


@every_service
def test_the_defaults_are_good(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(service, monkeypatch)
    assert settings.port > 0
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1


@every_service
def test_a_misspelled_setting_ends_the_start(
    service: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for prefix in SERVICES[service][1]:
        with monkeypatch.context() as patch:
            said = refusal(service, patch, capsys, **{f"{prefix}PRT": "1"})
        assert f"unknown setting {prefix}PRT; did you mean " in said
        assert "PORT?" in said


@every_service
@pytest.mark.parametrize("value", ["x", "-1", "65536", "1.5", "\N{SUPERSCRIPT TWO}"])
def test_a_bad_value_ends_the_start_and_names_its_variable(
    service: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = "IOPAINT_PORT" if service == "inpaint-service" else f"{OWN[service]}PORT"
    timeout = f"{OWN[service]}BODY_TIMEOUT_S"
    said = refusal(service, monkeypatch, capsys, **{port: value, timeout: "0", "LOG_LEVEL": "loud"})
    assert said.startswith("cleanplate: bad setting: ")
    for name in (port, timeout, "LOG_LEVEL"):
        assert f"{name}: " in said


def test_a_bad_value_is_not_repeated(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert "hunter2" not in refusal("backend", monkeypatch, capsys, BACKEND_PORT="hunter2")


@every_service
def test_another_services_settings_are_none_of_ours(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    others = {f"{prefix}NONSENSE": "1" for name, prefix in OWN.items() if name != service}
    read(service, monkeypatch, **others)


@every_service
def test_without_keys_only_loopback_is_served(
    service: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    host = "IOPAINT_HOST" if service == "inpaint-service" else f"{OWN[service]}HOST"
    open_to_all = {f"{OWN[service]}ALLOW_ANONYMOUS": "false", host: "0.0.0.0"}
    said = refusal(service, monkeypatch, capsys, **open_to_all)
    assert f"set {OWN[service]}API_KEYS, or {OWN[service]}ALLOW_ANONYMOUS=true" in said
    settings = read(service, monkeypatch, **open_to_all, **{f"{OWN[service]}API_KEYS": " key1, key2,,"})
    assert settings.keys() == ["key1", "key2"]
    assert "key1" not in repr(settings)
    read(service, monkeypatch, **{**open_to_all, host: "127.0.0.1", f"{OWN[service]}API_KEYS": ""})


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read("backend", monkeypatch, BACKEND_PORT="", BACKEND_ANIMATED="").port == 8000


def test_a_log_level_may_be_written_small(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read("backend", monkeypatch, LOG_LEVEL="debug").log_level == "DEBUG"


def test_store_and_files_are_in_the_data_folder_unless_a_url_says_otherwise(tmp_path: Path) -> None:
    settings = BackendSettings(data=tmp_path)
    assert (settings.store(), settings.files()) == (f"sqlite:///{tmp_path}/jobs.db", f"{tmp_path}/files")
    elsewhere = BackendSettings(store_url="postgresql://db/x", files_url="s3://bucket")
    assert (elsewhere.store(), elsewhere.files()) == ("postgresql://db/x", "s3://bucket")
