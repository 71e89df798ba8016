"""The DeepSeek-OCR server's wire: its settings, the machine's memory, and copies that are tried again."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from cleanplate.contract.problems import StoreBusy, UpstreamFailed
from cleanplate.runtime.files import JobFiles
from cleanplate.runtime.jobs import NewJob, State
from cleanplate.runtime.run import Run
from cleanplate.runtime.settings import read_settings
from cleanplate.runtime.store.sql import SqlStore
from ocr_service.kept import page_file
from ocr_service.machine import Memory, gpu_memory, system_memory
from ocr_service.settings import PREFIXES, OcrSettings
from ocr_service.wires.dsocr.metrics import TaskMetrics
from ocr_service.wires.dsocr.pack import Pack
from ocr_service.wires.dsocr.publishing import KIND, TRIES, Publisher
from ocr_service.wires.dsocr.settings import listed
from tests.unit.runtime.conftest import Jobs

GB = 1024**3
PAGE = {"page": 1, "width": 10, "height": 10, "regions": [], "blocks": [], "text": "EXIT\n", "markdown": "EXIT\n"}


def _read(monkeypatch: pytest.MonkeyPatch, **environment: str) -> OcrSettings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return read_settings(OcrSettings, PREFIXES)


def test_settings_have_the_names_of_the_original(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _read(
        monkeypatch, APP_API_KEYS='["sk_a", "sk_b"]', APP_API_KEY="sk_c", APP_MAX_WORKERS="5", APP_REQUIRE_AUTH="true",
        APP_COOKIE_SECURE="True", APP_ENABLE_DS_MODEL="false", APP_BACKEND="hf", APP_DS_BASE_SIZE="512",
        APP_SOMETHING_ELSE="of another system",
    )  # fmt: skip
    assert settings.keys() == ["sk_a", "sk_b", "sk_c"]
    assert (settings.slots, settings.app_require_auth, settings.app_cookie_secure) == (5, True, "true")
    assert (settings.app_enable_ds_model, settings.deepseek_backend, settings.deepseek_base_size) == (False, "hf", 512)


def test_a_setting_of_one_s_own_counts_more(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _read(monkeypatch, APP_MAX_WORKERS="5", OCR_SLOTS="3", OCR_API_KEYS="own", APP_API_KEYS="sk_a,sk_b")
    assert (settings.slots, settings.keys()) == (3, ["own", "sk_a", "sk_b"])


def test_keys_of_the_original_are_enough_to_listen_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _read(monkeypatch, OCR_HOST="0.0.0.0", APP_API_KEY="sk_a").keys() == ["sk_a"]


@pytest.mark.parametrize("value", ["[sk_a", "[1, 2]", '["a",]'])
def test_half_a_list_ends_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    with pytest.raises(SystemExit):
        _read(monkeypatch, APP_API_KEYS=value)
    told = capsys.readouterr().err
    assert "APP_API_KEYS: " in told
    assert value not in told


def test_a_list_is_written_in_either_way() -> None:
    assert listed(" a, b ,,") == listed('["a", " b "]') == ["a", "b"]
    assert listed("") == []


def _machine(root: Path, *, total_kb: int = 16 * 1024**2, available_kb: int = 8 * 1024**2, **cgroup: str) -> Path:
    for folder in ("proc", "sys/fs/cgroup"):
        (root / folder).mkdir(parents=True)
    (root / "proc/meminfo").write_text(f"MemTotal:   {total_kb} kB\nMemFree: 5 kB\nMemAvailable: {available_kb} kB\n")
    for name, text in cgroup.items():
        (root / "sys/fs/cgroup" / name.replace("_", ".", 1)).write_text(text)
    return root


def test_memory_is_the_machine_s(tmp_path: Path) -> None:
    found = system_memory(_machine(tmp_path, memory_max="max\n", memory_current="5\n", memory_stat=""))
    assert found == Memory(8 * GB, 16 * GB)
    assert (found.free_gb, found.total_gb) == (8, 16)


def test_memory_is_the_container_s_where_that_is_less(tmp_path: Path) -> None:
    stat = f"anon 5\ninactive_file {GB}\n"
    made = _machine(tmp_path, memory_max=f"{4 * GB}\n", memory_current=f"{4 * GB}\n", memory_stat=stat)
    assert system_memory(made) == Memory(GB, 4 * GB)


def test_memory_is_the_container_s_with_the_older_kind_of_cgroup(tmp_path: Path) -> None:
    made = _machine(tmp_path)
    group = made / "sys" / "fs" / "cgroup" / "memory"
    group.mkdir(parents=True)
    (group / "memory.limit_in_bytes").write_text(f"{4 * GB}\n")
    (group / "memory.usage_in_bytes").write_text(f"{4 * GB}\n")
    (group / "memory.stat").write_text(f"inactive_file 0\ntotal_inactive_file {GB}\n")
    assert system_memory(made) == Memory(GB, 4 * GB)


def test_a_machine_that_tells_nothing_is_no_error(tmp_path: Path) -> None:
    assert system_memory(tmp_path) is None


class Nvml(ModuleType):
    """NVIDIA's library as it answers on a machine with one GPU, or without a driver."""

    class NVMLError(Exception):
        pass

    def __init__(self, *, driver: bool):
        super().__init__("pynvml")
        self.driver, self.open = driver, 0

    def nvmlInit(self) -> None:
        if not self.driver:
            raise self.NVMLError("no driver")
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> SimpleNamespace:
        return SimpleNamespace(total=80 * GB, free=60 * GB, used=20 * GB)


@pytest.mark.parametrize(("driver", "found"), [(True, Memory(60 * GB, 80 * GB)), (False, None)])
def test_a_gpu_is_asked_for_its_memory_if_there_is_one(
    monkeypatch: pytest.MonkeyPatch, driver: bool, found: Memory | None
) -> None:
    nvml = Nvml(driver=driver)
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    assert gpu_memory() == found
    assert nvml.open == 0


@pytest.fixture
async def board(tmp_path: Path) -> AsyncIterator[Jobs]:
    made = Jobs("document", SqlStore(f"sqlite:///{tmp_path}/jobs.db"), JobFiles(str(tmp_path / "files")), poll_s=0.02)
    yield made
    made.close()


async def _document(board: Jobs, publisher: Publisher, end: State = State.SUCCEEDED) -> None:
    """Add a document of one page with a copy promised, and end it."""
    params: dict[str, Any] = {"pages": [0], "name": "a", "options": {"searchable_pdf": False}}
    new = NewJob("a", board.kind, params, "digest")
    await board.submit(new, {}, publisher.promised(new))
    job = await board.call(board.store.claim, [board.kind], "worker", 30.0, 3)
    assert job is not None
    run = Run(board, job)
    await run.put(page_file(1), json.dumps(PAGE).encode())
    await run.report("reading", 1.0, checkpoint={"done": 1, "failed": []})
    await board.end(end)


async def _tried(publisher: Publisher) -> None:
    job = await publisher.board.call(publisher.board.store.claim, [KIND], "worker", 30.0, 3)
    assert job is not None
    await publisher(Run(publisher.board, job))


async def _told(board: Jobs, publisher: Publisher) -> str:
    return await publisher.told(await board.get("a"))


async def test_a_copy_that_cannot_be_made_is_tried_again(board: Jobs, tmp_path: Path) -> None:
    blocked = tmp_path / "out"
    blocked.write_text("a file where a folder should be")
    publisher = Publisher(board, f"file://{blocked}", Pack(board), clock=lambda: 0.0)
    await _document(board, publisher)
    assert await _told(board, publisher) == "being published"
    await _tried(publisher)
    assert await _told(board, publisher) == "being published"
    blocked.unlink()
    await _tried(publisher)
    assert await _told(board, publisher) == "published"
    assert (blocked / "a" / "full.md").read_text() == "EXIT\n"


async def test_a_copy_is_given_up_and_the_result_stays(board: Jobs, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file where a folder should be")
    publisher = Publisher(board, f"file://{tmp_path}/out", Pack(board), clock=lambda: 0.0)
    await _document(board, publisher)
    for _ in range(TRIES - 1):
        await _tried(publisher)
    with pytest.raises(UpstreamFailed, match=f"given up, try {TRIES} failed"):
        await _tried(publisher)
    assert b"".join([piece async for piece in await Pack(board).markdown(await board.get("a"))]) == b"EXIT\n"


async def test_a_copy_can_go_to_any_file_system(board: Jobs) -> None:
    publisher = Publisher(board, "memory://dsocr-test", Pack(board))
    await _document(board, publisher)
    await _tried(publisher)
    assert JobFiles("memory://dsocr-test").get("a", "full.md") == b"EXIT\n"


async def test_nothing_is_published_of_a_task_that_failed(board: Jobs, tmp_path: Path) -> None:
    publisher = Publisher(board, f"file://{tmp_path}/out", Pack(board))
    await _document(board, publisher, State.FAILED)
    await _tried(publisher)
    assert await _told(board, publisher) == ""
    assert not (tmp_path / "out").exists()


async def test_without_a_url_nothing_is_promised(board: Jobs) -> None:
    assert Publisher(board, "", Pack(board)).promised(NewJob("a", board.kind, {}, "digest")) == []


@pytest.mark.parametrize(("memory", "told"), [(Memory(GB, 4 * GB), 2), (None, 0)])
async def test_metrics_tell_of_a_gpu_only_where_there_is_one(board: Jobs, memory: Memory | None, told: int) -> None:
    found = {family.name for family in TaskMetrics(board, gpu=lambda: memory).collect()}
    assert {"tasks_submitted", "tasks_succeeded", "tasks_failed", "queue_size", "running_workers"} <= found
    assert len([name for name in found if name.startswith("gpu_memory_")]) == told


class Followed(Exception):
    """The log was looked at."""


class Away:
    """A store that is away for the first call, and whose log nobody needs to read."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., int]:
        def call(*_: object) -> int:
            self.asked.append(name)
            if len(self.asked) == 1:
                raise StoreBusy("the store is away")
            if name == "events_of_all":
                raise Followed
            return 0

        return call


def _of_store(board: Jobs, store: Any) -> TaskMetrics:
    return TaskMetrics(Jobs("document", store, board.files), lambda: None)


async def test_metrics_are_told_also_while_the_store_is_away(board: Jobs) -> None:
    names = [family.name for family in _of_store(board, Away()).collect()]
    assert names == ["tasks_submitted", "tasks_succeeded", "tasks_failed"]


async def test_documents_are_counted_also_when_the_store_was_away_at_first(
    board: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ocr_service.wires.dsocr.metrics.POLL_S", 0.0)
    store = Away()
    with pytest.raises(Followed):
        await _of_store(board, store).follow()
    assert store.asked == ["last_position", "last_position", "events_of_all"]
