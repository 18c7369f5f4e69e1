"""How near predictions come: five trainings of different shapes, each planned, then really run, then compared.

python -m benchmarks.plan [NAME …]      needs artifacts/ of a run up to `tokenize`; a quiet machine; some ten minutes
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.report import RESULTS, machine
from cli.outcomes import read_outcomes
from cli.profiling import Graph, profile_stage
from components import tracking
from components.artifacts import write_json
from components.params import Params
from components.resource_usage import MEGABYTE, PLAN, prediction_key
from flows.recipes import Recipe, read_recipes
from flows.settings import what_if

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

Comparison = dict[str, dict[str, float]]


def main(names: list[str]) -> int:
    """Compare the named configurations, or all, and write benchmarks/results/plan.json."""
    compared: dict[str, Comparison] = {}
    recipes = read_recipes(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
        tracking.connect()
        for number, (name, (stage, settings)) in enumerate(CONFIGURATIONS.items()):
            if not names or name in names:
                params = what_if(ROOT / "params.yaml", (*COMMON, *settings))
                compared[name] = compare(stage, params, recipes, Path(folder, str(number)))
    Console(highlight=False).print(_table(compared))
    packages = ("torch", "transformers", "pytorch-lightning", "mlflow")
    content = {
        "note": "Predicted by `lianzi plan`, and as the stage then reported; ratio: predicted / real",
        "configurations": compared,
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
    found = profile_stage(stage, Graph(params, {**recipes, stage: recipe}, frozenset(), None), ROOT)["measured"]
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
