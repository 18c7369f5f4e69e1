"""How near predictions come: five trainings of different shapes, each planned, then really run, then compared; and what
a plan of the default project takes itself, with nothing known.

python -m benchmarks.plan [NAME …]      needs artifacts/ of a run up to `tokenize`; a quiet machine; some ten minutes

Both plan and stage are forks of one process with the libraries, as those of `lianzi plan` and `lianzi run` are. With
names, only those are measured, and nothing is written.
"""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.orchestration import restore_defaults
from benchmarks.report import RESULTS, machine
from cli.outcomes import read_outcomes
from cli.profiling import Graph, profile_stage, scratch_folder
from components import tracking
from components.artifacts import write_json
from components.params import Params
from components.resource_usage import MEGABYTE, PLAN, prediction_key
from flows import env_defaults
from flows.forked_stages import forked_stages
from flows.recipes import Recipe, read_recipes
from flows.settings import what_if
from tests.small_project import make_small_project

ROOT = Path(__file__).parent.parent
COMMON = ("pretrain.threads=1", "pretrain.validate_every=100", "pretrain.validation_sequences=64")
CONFIGURATIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "modernbert, 2 layers, contrastive, 64 x 96": (
        "pretrain",
        (
            "model.depth=2",
            "model.width=null",
            "pretrain.objective.name=contrastive",
            "pretrain.steps=120",
            "pretrain.batch_size=64",
        ),
    ),
    "bert, 4 layers, 8 x 128": (
        "pretrain",
        (
            "model.architecture=bert",
            "pretrain.objective.name=mlm",
            "pretrain.objective.masking=dynamic",
            "pretrain.objective.whole_word=false",
            "model.depth=4",
            "model.width=null",
            "pretrain.steps=160",
            "pretrain.batch_size=8",
            "pretrain.sequence_length=128",
        ),
    ),
    "gpt2, 3 layers, 32 x 64": (
        "pretrain",
        (
            "model.architecture=gpt2",
            "pretrain.objective.name=clm",
            "model.depth=3",
            "model.width=null",
            "pretrain.steps=160",
            "pretrain.batch_size=32",
            "pretrain.sequence_length=64",
        ),
    ),
    "llama, 6 layers, 8 x 256 in two parts, muon": (
        "pretrain",
        (
            "model.architecture=llama",
            "pretrain.objective.name=clm",
            "model.depth=6",
            "model.width=null",
            "pretrain.steps=30",
            "pretrain.batch_size=8",
            "pretrain.sequence_length=256",
            "pretrain.optimizer=muon",
            "trainer.accumulate=2",
        ),
    ),
    "finetune, 3 layers, 16 rows": (
        "finetune@topic",
        ("model.depth=3", "model.width=null", "finetune.batch_size=16", "finetune.epochs=1"),
    ),
}
"""Name -> stage, and what it changes of params.yaml."""

DEFAULT = "plan of the default project"
PROCESSOR_GOAL, PLANS = 40.0, 3
"""Processor seconds that a plan of the default project may take with nothing known, and plans that are made."""
LOOK = 0.02
"""Seconds between two looks at the processor times of a plan's processes."""

Comparison = dict[str, dict[str, float]]


def main(names: list[str]) -> int:
    """Compare the named configurations, or all; of all, write benchmarks/results/plan.json."""
    env_defaults.prepare()
    compared: dict[str, Comparison] = {}
    recipes = read_recipes(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
        tracking.connect()
        wanted = [name for name in CONFIGURATIONS if not names or name in names]
        with forked_stages(ROOT, needed=bool(wanted), at_once=False):
            for name in wanted:
                stage, settings = CONFIGURATIONS[name]
                params = what_if(ROOT / "params.yaml", (*COMMON, *settings))
                compared[name] = compare(stage, params, recipes, Path(folder, str(len(compared))))
        plans = own_seconds(Path(folder)) if not names or DEFAULT in names else {}
    Console(highlight=False).print(_table(compared))
    if names:
        return 0
    packages = ("torch", "transformers", "pytorch-lightning", "mlflow")
    content = {
        "note": "Predicted by `lianzi plan`, and as the stage then reported; ratio: predicted / real",
        "configurations": compared,
        DEFAULT: plans,
        "machine": machine(),
        "versions": {package: metadata.version(package) for package in packages},
    }
    write_json(RESULTS / "plan.json", content)
    return 0


def compare(stage: str, params: Params, recipes: dict[str, Recipe], folder: Path) -> Comparison:
    """Predict a stage and run it, in a folder with the project's artifacts to read and room of its own to write."""
    folder.mkdir()
    (folder / "artifacts").symlink_to(ROOT / "artifacts")
    (folder / "params.yaml").write_text(json.dumps(params.model_dump(by_alias=True)), encoding="utf-8")
    recipe = _elsewhere(recipes[stage], params, folder)
    print(f"{stage}: predicting …", flush=True)
    with scratch_folder(ROOT) as scratch:
        graph = Graph(params, {**recipes, stage: recipe}, frozenset(), None, scratch)
        found = profile_stage(stage, graph, ROOT)["measured"]
    planned = {"seconds": found["seconds"], "peak_memory_megabytes": found["peak_memory"] / MEGABYTE}
    write_json(folder / PLAN, {stage: {prediction_key(recipe.sections(params)): planned}})
    print(f"{stage}: running, {found['seconds']:.0f} s …", flush=True)
    subprocess.run(
        [sys.executable, "-m", "components", *recipe.words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
        stderr=subprocess.DEVNULL,
    )
    real = read_outcomes()[0]
    return {
        name: {
            "predicted": round(value, 1),
            "real": round(real.took[name], 1),
            "ratio": round(value / real.took[name], 3),
        }
        for name, value in real.predicted.items()
    }


def own_seconds(folder: Path) -> dict[str, Any]:
    """Processor seconds of plans of the default project, one after the other, with nothing known."""
    project = make_small_project(ROOT, folder / "project")
    restore_defaults(project)
    compileall.compile_dir(project, quiet=2)
    taken = []
    for _ in range(PLANS):
        for known in (project / "mlflow").iterdir():
            known.unlink() if known.is_file() else shutil.rmtree(known)
        taken.append(round(processor_seconds([sys.executable, "-m", "cli.main", "plan", "--json"], project), 1))
        print(f"{DEFAULT}: {taken[-1]} processor seconds", flush=True)
    return {"processor_seconds": {"median": median(taken), "plans": taken, "goal": PROCESSOR_GOAL}}


def processor_seconds(words: list[str], project: Path) -> float:
    """Processor seconds of a command and all its processes.

    They are looked at while they work: the kernel counts a process with its parent's children only where the parent
    waits for it, and a server of forks does not.
    """
    variables = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    settings = variables | {"PYTHONPATH": os.pathsep.join(map(str, (project, ROOT)))}
    process = subprocess.Popen(words, cwd=project, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    taken: dict[psutil.Process, float] = {}
    top = psutil.Process(process.pid)
    while process.poll() is None:
        with suppress(psutil.Error):
            for one in (top, *top.children(recursive=True)):
                times = one.cpu_times()
                taken[one] = times.user + times.system
        time.sleep(LOOK)
    if process.returncode:
        sys.exit(f"{' '.join(words)} failed")
    return sum(taken.values())


def _elsewhere(recipe: Recipe, params: Params, folder: Path) -> Recipe:
    """The stage's command with what it writes under `folder`, and a pretrained model of these params to start from."""
    words = list(recipe.words)
    for place, word in enumerate(words):
        if word in recipe.writes:
            words[place] = str(folder / "written" / word)
    if "--pretrained" in words and "artifacts/pretrained" in recipe.reads:
        import transformers

        from components.planning.dummy_artifacts import pretrained

        transformers.utils.logging.disable_progress_bar()

        pretrained(folder / "pretrained", params, ROOT / "artifacts/tokenizer")
        words[words.index("--pretrained") + 1] = str(folder / "pretrained")
    return replace(recipe, words=tuple(words))


def _table(compared: dict[str, Comparison]) -> Table:
    shown = Table(box=None, pad_edge=False)
    for heading in ("configuration", "what", "predicted", "real", "ratio"):
        shown.add_column(heading, justify="left" if heading in ("configuration", "what") else "right")
    for name, figures in compared.items():
        for what, figure in figures.items():
            shown.add_row(name, what, *[f"{figure[key]:,.6g}" for key in ("predicted", "real", "ratio")])
    return shown


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
