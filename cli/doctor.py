"""`lianzi doctor`: this machine's resources and their consequences for the pipeline."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components import tracking
from components.errors import ServiceError
from components.machine import INSTRUCTIONS, cpu_flags

PACKAGES = (
    "prefect",
    "dvc",
    "mlflow",
    "great_expectations",
    "pytorch-lightning",
    "torch",
    "transformers",
    "onnxruntime",
)
FREE_GIGABYTES = 5


@click.command("doctor")
def command() -> None:
    """Say what this machine has and what that means for the pipeline."""
    if not show_report(Path.cwd()):
        raise ServiceError("something above must be repaired")


@dataclass(frozen=True)
class Finding:
    """One check: its status, its observation, and the consequence."""

    name: str
    well: bool
    found: str
    meaning: str


def show_report(root: Path) -> bool:
    """Print every check; True when the pipeline can run here."""
    findings = [look(root) for look in LOOKS]
    shown = Table(box=None, pad_edge=False)
    for heading in ("", "what", "found", "what it means"):
        shown.add_column(heading, overflow="fold")
    for finding in findings:
        shown.add_row(
            "[green]ok[/]" if finding.well else "[red]no[/]",
            finding.name,
            escape(finding.found),
            escape(finding.meaning),
        )
    Console(highlight=False).print(shown)
    return all(finding.well for finding in findings)


def python(_root: Path) -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", sys.version_info[:2] == (3, 11), version, "3.11 is what the lock file is for")


def packages(_root: Path) -> Finding:
    """The versions of the central packages."""
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    meaning = (
        f"missing: {', '.join(missing)}; `make setup` installs them" if missing else "as pinned in requirements.lock"
    )
    return Finding("packages", not missing, ", ".join(found), meaning)


def processor(_root: Path) -> Finding:
    """The cores, and the instruction sets for training and int8 inference."""
    flags = cpu_flags()
    known = [flag for flag in INSTRUCTIONS if flag in flags]
    bf16 = "trains in bf16" if {"avx512_bf16", "amx_bf16"} & flags else "trains in fp32 (no bf16 instructions)"
    int8 = (
        "int8 fast" if flags & {"avx512_vnni", "avx_vnni", "amx_int8"} else "int8 smaller but hardly faster (no VNNI)"
    )
    return Finding("processor", True, f"{os.cpu_count()} cores, {' '.join(known) or 'no AVX'}", f"{bf16}; {int8}")


def gpu(_root: Path) -> Finding:
    """The NVIDIA GPU, as PyTorch sees it."""
    import torch

    if not torch.cuda.is_available():
        return Finding("GPU", True, "none", "everything runs on the CPU; TensorRT engines are built, not run")
    name = torch.cuda.get_device_name()
    major, minor = torch.cuda.get_device_capability()
    return Finding("GPU", True, f"{name}, compute {major}.{minor}", "training and engines use it")


def engines(_root: Path) -> Finding:
    """The inference engines that can be built."""
    from components.inference.engines import ENGINES

    reasons = {name: engine.available() for name, engine in ENGINES.items()}
    there = [name for name, reason in reasons.items() if not reason]
    missing = "; ".join(f"{name}: {reason}" for name, reason in reasons.items() if reason)
    return Finding("engines", "onnxruntime" in there, ", ".join(there) or "none", missing or "all of them can be built")


def memory(_root: Path) -> Finding:
    import psutil

    total = psutil.virtual_memory().total / 1e9
    return Finding("memory", total > 4, f"{total:.0f} GB", "the default run needs about 3 GB")


def disk(root: Path) -> Finding:
    free = shutil.disk_usage(root).free / 1e9
    return Finding(
        "disk", free > FREE_GIGABYTES, f"{free:.0f} GB free", f"a run with its caches wants {FREE_GIGABYTES} GB"
    )


def data(root: Path) -> Finding:
    """Whether there are documents yet; none is no error, since the machine lacks nothing."""
    if (root / "data" / "corpus").is_dir():
        return Finding("data", True, "data/corpus", "what the models are made from")
    return Finding("data", True, "no data/corpus yet", "`dvc pull data` fetches the sample data; or put your own there")


def services(_root: Path) -> Finding:
    prefect = os.environ.get("PREFECT_API_URL", "a temporary server a run")
    store = tracking.without_password(tracking.tracking_uri())
    return Finding(
        "services",
        True,
        f"Prefect: {prefect}; MLflow: {store}",
        "set PREFECT_API_URL, MLFLOW_TRACKING_URI to use servers",
    )


LOOKS: tuple[Callable[[Path], Finding], ...] = (
    python,
    packages,
    processor,
    gpu,
    engines,
    memory,
    disk,
    data,
    services,
)
