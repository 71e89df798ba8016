"""`cleanplate doctor`: what works in this installation, what does not, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from backend.cli import launches, machine
from backend.cli.environments import Engine, Environment, inspect
from backend.cli.ports import is_free
from backend.cli.probes import is_service
from backend.cli.terminal import Terminal
from cleanplate.runtime.cores import cores

DISK_BYTES = 500_000_000
MEMORY_BYTES = 3_000_000_000  # the three services with one picture of 10 megapixels at work
_MARKS = {"ok": "ok  ", "absent": "--  ", "warning": "WARN", "error": "FAIL"}

Status = Literal["ok", "absent", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. Only an `error` keeps pictures from being erased; `absent` is not needed."""

    subject: str
    status: Status
    text: str
    data: dict[str, Any] = field(default_factory=dict)


def doctor(root: Path, data: Path, ports: Mapping[str, int], terminal: Terminal) -> bool:
    """Look at everything and give what was found; return whether pictures can be erased here. Blocking."""
    well = True
    for finding in _findings(root, data, ports):
        well = well and finding.status != "error"
        terminal.result(f"{_MARKS[finding.status]}  {finding.subject}: {finding.text}", asdict(finding))
    terminal.note("pictures can be erased here" if well else "pictures cannot be erased here; see what FAILs")
    return well


def _findings(root: Path, data: Path, ports: Mapping[str, int]) -> Iterator[Finding]:
    for name in launches.NAMES:
        environment = inspect(root, name)
        yield _environment(name, environment)
        yield from _engines(name, environment.engines)
    yield _disk(data)
    yield _memory()
    yield Finding("processor", "ok", f"{cores()} cores", {"cores": cores()})
    gpus = machine.gpus()
    yield Finding("GPU", "ok", "; ".join(gpus) or "none; the processor does the work", {"gpus": gpus})
    yield from (_port(name, port) for name, port in ports.items())


def _environment(name: str, environment: Environment) -> Finding:
    if environment.error:
        return Finding(name, "error", environment.error)
    told = {"python": environment.python, "differences": list(environment.differences)}
    if environment.differences:
        some = "; ".join(environment.differences[:5])
        more = len(environment.differences) - 5
        return Finding(name, "warning", f"differs from its lock: {some}{f' and {more} more' if more > 0 else ''}", told)
    return Finding(name, "ok", f"Python {environment.python}, {environment.packages} packages as locked", told)


def _engines(name: str, engines: Sequence[Engine]) -> Iterator[Finding]:
    """Yield the engines, together where the same is to be said of them."""
    groups: dict[tuple[Status, str], list[str]] = {}
    for engine in engines:
        status: Status = "ok" if engine.usable else "warning" if engine.own else "absent"
        reason = f"usable ({engine.reason})" if engine.reason else "usable"
        groups.setdefault((status, reason if engine.usable else f"not usable: {engine.reason}"), []).append(engine.name)
    for (status, text), names in groups.items():
        yield Finding(f"{name}: {', '.join(names)}", status, text, {"engines": names})
    if engines and not any(engine.usable for engine in engines):
        yield Finding(name, "error", "has no usable engine")


def _disk(data: Path) -> Finding:
    free = machine.free_disk_bytes(data)
    text = f"{free / 1e9:.1f} GB free for {data}"
    return Finding("disk", "ok" if free >= DISK_BYTES else "error", text, {"free_bytes": free})


def _memory() -> Finding:
    free = machine.free_memory_bytes()
    if free is None:
        return Finding("memory", "ok", "this system does not say how much is free")
    status: Status = "ok" if free >= MEMORY_BYTES else "warning"
    return Finding("memory", status, f"{free / 1e9:.1f} GB available", {"available_bytes": free})


def _port(name: str, port: int) -> Finding:
    told = {"port": port, "service": name}
    if is_free("127.0.0.1", port):
        return Finding(f"port {port}", "ok", f"free for the {name}", told)
    if is_service(f"http://127.0.0.1:{port}", name):
        return Finding(f"port {port}", "ok", f"the {name} runs there", told)
    option = f"--{name.removesuffix('-service')}-port"
    return Finding(f"port {port}", "warning", f"in use; `cleanplate up` needs {option} for the {name}", told)
