"""`cleanplate models`: listing, fetching from folders and servers of all kinds, verifying."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from typer.testing import CliRunner

from backend.cli import downloads, inventory, models, models_app
from backend.cli.app import app
from backend.cli.failures import ServicesFailed
from backend.cli.inputs import UsageError
from backend.cli.inventory import KnownModel, ModelFile
from backend.cli.terminal import Terminal

DATA = bytes(range(256)) * 4096
MD5 = hashlib.md5(DATA).hexdigest()
SHA256 = hashlib.sha256(DATA).hexdigest()


class Mirror:
    """A web server with one file, that can be told to misbehave."""

    def __init__(self) -> None:
        self.ranges: list[str | None] = []
        self.cut_after: list[int] = []
        self.heeds_range = True
        self.refuses: list[int] = []
        self.leads_to = ""
        self.data = DATA
        self.tag = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.url = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)

    async def _start(self) -> str:
        site = web.Application()
        site.router.add_get("/{name}", self._answer)
        self._runner = web.AppRunner(site)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        told = request.headers.get("Range")
        self.ranges.append(told)
        if self.leads_to:
            raise web.HTTPFound(self.leads_to)
        if self.refuses:
            return web.Response(status=self.refuses.pop(0))
        heeded = self.heeds_range and request.headers.get("If-Range", self.tag) == self.tag
        start = int(told.removeprefix("bytes=").rstrip("-")) if told and heeded else 0
        if start >= len(self.data):
            return web.Response(status=416, headers={"Content-Range": f"bytes */{len(self.data)}"})
        response = web.StreamResponse(status=206 if start else 200)
        response.content_length = len(self.data) - start
        if self.tag:
            response.headers["ETag"] = self.tag
        if start:
            response.headers["Content-Range"] = f"bytes {start}-{len(self.data) - 1}/{len(self.data)}"
        await response.prepare(request)
        if self.cut_after:
            await response.write(self.data[start : start + self.cut_after.pop(0)])
            assert request.transport is not None
            request.transport.close()
            return response
        await response.write(self.data[start:])
        return response


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Mirror()
    yield server
    server.close()


def model_file(folder: Path, **more: Any) -> ModelFile:
    told = {"md5": MD5, "sha256": SHA256, "size_bytes": len(DATA), "url": "http://127.0.0.1:1/big.pt"}
    return ModelFile(**{"name": "big.pt", "path": str(folder / "models" / "big.pt"), **told, **more})


def get(file: ModelFile, source: str | Path | None) -> list[tuple[int, int | None]]:
    """Fetch it; return the progress that was told."""
    told: list[tuple[int, int | None]] = []
    downloads.fetch(file, Path(file.path), source, lambda done, total: told.append((done, total)), pause_s=0.0)
    return told


def test_a_file_comes_from_a_mirror_and_its_progress_is_told(mirror: Mirror, tmp_path: Path) -> None:
    file = model_file(tmp_path)
    told = get(file, mirror.url + "/")
    assert Path(file.path).read_bytes() == DATA
    assert told[-1] == (len(DATA), len(DATA))
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["big.pt"]


def test_a_file_comes_from_its_own_address(mirror: Mirror, tmp_path: Path) -> None:
    file = model_file(tmp_path, url=f"{mirror.url}/anything")
    get(file, None)
    assert Path(file.path).read_bytes() == DATA


def test_a_file_comes_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "big.pt").write_bytes(DATA)
    file = model_file(tmp_path)
    get(file, tmp_path)
    assert Path(file.path).read_bytes() == DATA


def test_a_cut_connection_is_taken_up_where_it_broke_off(mirror: Mirror, tmp_path: Path) -> None:
    mirror.cut_after = [300_000, 400_000]
    file = model_file(tmp_path)
    get(file, mirror.url)
    assert Path(file.path).read_bytes() == DATA
    assert mirror.ranges == [None, "bytes=300000-", "bytes=700000-"]


def interrupted(mirror: Mirror, file: ModelFile) -> None:
    mirror.cut_after = [300_000, *[0] * downloads.TRIES]
    with pytest.raises(downloads.FetchFailed, match="300000 bytes are kept"):
        get(file, mirror.url)
    mirror.cut_after = []


def test_without_a_checksum_no_two_versions_are_mixed(mirror: Mirror, tmp_path: Path) -> None:
    file = model_file(tmp_path, md5="", sha256=None, size_bytes=None)
    mirror.tag = '"one"'
    interrupted(mirror, file)
    mirror.tag, mirror.data = '"two"', DATA[::-1]
    get(file, mirror.url)
    assert Path(file.path).read_bytes() == DATA[::-1]
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["big.pt"]


def test_without_a_checksum_nothing_is_added_to_what_nobody_knows(mirror: Mirror, tmp_path: Path) -> None:
    file = model_file(tmp_path, md5="", sha256=None, size_bytes=None)
    (tmp_path / "models").mkdir()
    Path(file.path + ".part").write_bytes(b"of another")
    get(file, mirror.url)
    assert Path(file.path).read_bytes() == DATA


def test_without_a_checksum_a_fetch_goes_on_with_the_same_version(mirror: Mirror, tmp_path: Path) -> None:
    file = model_file(tmp_path, md5="", sha256=None, size_bytes=None)
    mirror.tag = '"one"'
    interrupted(mirror, file)
    get(file, mirror.url)
    assert Path(file.path).read_bytes() == DATA
    assert mirror.ranges[-1] == "bytes=300000-"


def test_a_later_fetch_goes_on_with_what_an_earlier_one_left(mirror: Mirror, tmp_path: Path) -> None:
    file = model_file(tmp_path)
    mirror.cut_after = [300_000, *[0] * downloads.TRIES]
    with pytest.raises(downloads.FetchFailed, match="300000 bytes are kept"):
        get(file, mirror.url)
    mirror.cut_after = []
    get(file, mirror.url)
    assert Path(file.path).read_bytes() == DATA
    assert mirror.ranges[-1] == "bytes=300000-"


def test_a_server_without_ranges_sends_it_all_anew(mirror: Mirror, tmp_path: Path) -> None:
    mirror.heeds_range, mirror.cut_after = False, [300_000]
    file = model_file(tmp_path)
    get(file, mirror.url)
    assert Path(file.path).read_bytes() == DATA


def test_what_was_there_whole_already_is_only_checked(mirror: Mirror, tmp_path: Path) -> None:
    file = model_file(tmp_path)
    (tmp_path / "models").mkdir()
    Path(file.path + ".part").write_bytes(DATA)
    get(file, mirror.url)
    assert Path(file.path).read_bytes() == DATA


def test_a_longer_rest_of_something_else_is_thrown_away(mirror: Mirror, tmp_path: Path) -> None:
    file = model_file(tmp_path)
    (tmp_path / "models").mkdir()
    Path(file.path + ".part").write_bytes(DATA + b"more")
    get(file, mirror.url)
    assert Path(file.path).read_bytes() == DATA


def test_a_wrong_checksum_leaves_nothing_behind_and_the_old_file_alone(mirror: Mirror, tmp_path: Path) -> None:
    file = model_file(tmp_path)
    (tmp_path / "models").mkdir()
    Path(file.path).write_bytes(b"old")
    mirror.data = DATA[:-1] + b"x"
    with pytest.raises(downloads.FetchFailed, match=r"big\.pt has the md5"):
        get(file, mirror.url)
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["big.pt"]
    assert Path(file.path).read_bytes() == b"old"


def test_an_error_of_the_server_is_waited_out_and_a_refusal_is_final(mirror: Mirror, tmp_path: Path) -> None:
    mirror.refuses = [503, 500]
    get(model_file(tmp_path), mirror.url)
    mirror.refuses = [404]
    with pytest.raises(downloads.FetchFailed, match="HTTP 404"):
        get(model_file(tmp_path / "other"), mirror.url)
    assert len(mirror.ranges) == 4


def test_nothing_but_http_is_spoken(mirror: Mirror, tmp_path: Path) -> None:
    for told in ("ftp://host/models", "file:///etc"):
        with pytest.raises(UsageError, match="only http and https"):
            downloads.source_of(told)
    with pytest.raises(UsageError, match="is no folder"):
        downloads.source_of(str(tmp_path / "nowhere"))
    mirror.leads_to = "ftp://host/big.pt"
    with pytest.raises(downloads.FetchFailed, match="leads to ftp"):
        get(model_file(tmp_path), mirror.url)


def known(folder: Path, name: str = "big", *, usable: bool = False, files: bool = True) -> KnownModel:
    some = (model_file(folder),) if files else ()
    return KnownModel(name, usable, "it is missing", "MIT", "", str(folder), some)


def test_fetching_tells_each_file_and_what_is_there_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "big.pt").write_bytes(DATA)
    told = [known(tmp_path), known(tmp_path, "fills", usable=True, files=False)]
    for status in ("fetched", "there already"):
        assert models.fetch_all(told, str(tmp_path), None, Terminal(as_json=True))
        bodies = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [(body["model"], body["status"]) for body in bodies] == [("big", status), ("fills", "there already")]


def test_fetching_into_another_folder(tmp_path: Path) -> None:
    (tmp_path / "big.pt").write_bytes(DATA)
    assert models.fetch_all([known(tmp_path)], str(tmp_path), tmp_path / "to", Terminal())
    assert (tmp_path / "to" / "big.pt").read_bytes() == DATA


def test_what_cannot_be_fetched_is_said_with_the_way_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not models.fetch_all([known(tmp_path, files=False)], None, None, Terminal())
    assert "big: failed: it is missing" in capsys.readouterr().out
    assert not models.fetch_all([known(tmp_path)], str(tmp_path), None, Terminal())
    assert "big.pt is missing" in capsys.readouterr().out


def test_verifying_finds_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "models" / "big.pt"
    path.parent.mkdir()
    assert models.verify([known(tmp_path)], Terminal(), absent_ok=True)
    assert not models.verify([known(tmp_path)], Terminal(), absent_ok=False)
    path.write_bytes(DATA)
    assert models.verify([known(tmp_path)], Terminal(), absent_ok=False)
    path.write_bytes(DATA[:-1])
    assert not models.verify([known(tmp_path)], Terminal(), absent_ok=True)
    assert capsys.readouterr().out.splitlines()[-1].endswith(f"has {len(DATA) - 1} bytes instead of {len(DATA)}")


def test_an_unknown_model_is_a_mistake_of_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models_app, "inventory", lambda root: [known(tmp_path)])
    assert CliRunner().invoke(app, ["models", "verify", "bgi"]).exit_code == 2
    assert CliRunner().invoke(app, ["models", "verify", "big"]).exit_code == 1
    assert CliRunner().invoke(app, ["models", "fetch", "big", "--from", "ftp://host"]).exit_code == 2
    listed = CliRunner().invoke(app, ["models", "list", "--json"])
    assert listed.exit_code == 0
    assert json.loads(listed.stdout)["license"] == "MIT"


def tells(root: Path, service: str, listed: object) -> None:
    """Let the interpreter of a service tell this, whatever it is asked."""
    python = root / service / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(listed)}\nEND\n")
    python.chmod(0o755)


def test_the_services_tell_their_models_as_the_command_line_reads_them(tmp_path: Path) -> None:
    from inpaint_service import inventory as inpaint
    from inpaint_service.engines import NAMES
    from ocr_service import inventory as ocr
    from ocr_service.settings import OcrSettings

    tells(tmp_path, "inpaint-service", inpaint.inventory(tmp_path, "lama", None))
    with pytest.raises(ServicesFailed, match="ocr-service"):
        inventory.inventory(tmp_path)
    tells(tmp_path, "ocr-service", ocr.inventory(OcrSettings(models=tmp_path).engine_options()))
    read = {model.name: model for model in inventory.inventory(tmp_path)}
    assert list(read)[: len(NAMES)] == list(NAMES)
    assert (read["lama"].size_bytes, read["lama"].files[0].path) == (205_669_692, str(tmp_path / "big-lama.pt"))
    thai = read["th_PP-OCRv5_mobile_rec"]
    assert (thai.size_bytes, thai.usable) == (7_891_015, False)


def test_an_ocr_model_comes_into_the_folder_of_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ocr_service import inventory as ocr
    from ocr_service.engines import catalog
    from ocr_service.settings import OcrSettings

    name, files = "th_PP-OCRv5_mobile_rec", ("inference.yml", "inference.onnx")
    (tmp_path / "mirror" / name).mkdir(parents=True)
    for file in files:
        (tmp_path / "mirror" / name / file).write_bytes(DATA)
    options = OcrSettings(models=tmp_path / "models").engine_options()

    def fetched() -> bool:
        tells(tmp_path, "ocr-service", ocr.inventory(options))
        tells(tmp_path, "inpaint-service", [])
        wanted = models.chosen(inventory.inventory(tmp_path), [name])
        for service in ("ocr-service", "inpaint-service"):
            shutil.rmtree(tmp_path / service)
        return models.fetch_all(wanted, str(tmp_path / "mirror"), None, Terminal())

    assert not fetched()
    assert "inference.onnx has 1048576 bytes instead of 7891015" in capsys.readouterr().out
    monkeypatch.setattr(catalog, "_MEASURED", {name: (SHA256, len(DATA))})
    assert fetched()
    assert options.text.has(name)
