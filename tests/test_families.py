"""Every family of checkpoints goes the whole way, from its folder to a bundle that answers; docs/checkpoints.md has a
table of it, a row a family, which LIANZI_WRITE_TABLES=1 has these tests write."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.init_from import Words, settings_for, words_of
from components.artifacts import read_manifest, write_manifest
from components.deployment.bundle import build
from components.deployment.export import export
from components.deployment.quantize import quantize
from components.modeling.architectures import architecture
from components.modeling.checkpoints import load_tokenizer
from components.modeling.inspection import inspect
from components.modeling.kinds import ONE_STACK
from components.params import Params, check_params
from components.run import RecordedRun
from components.runtime.bundle import load_bundle
from components.tokenization.train import write_imported
from components.training.distill import distill
from components.training.finetune import finetune
from components.training.pretrain import pretrain
from components.training.store import CheckpointStore
from tests.small_artifacts import sentences, small_tokens
from tests.small_families import FAMILIES, family_checkpoint

DOCS = Path(__file__).parent.parent / "docs" / "checkpoints.md"
BEGIN, END = "<!-- families: written by tests/test_families.py -->", "<!-- end of families -->"
LOOSE = {
    "quantize": {"max_accuracy_loss": 1.0, "bootstrap_samples": 100},
    "gate": {"max_loss": 1.0, "min_agreement": 0.0, "bootstrap_samples": 100},
    "build": {"engines": ["onnxruntime"]},
}
"""What a rung may lose is a matter of the weights, and these have learnt next to nothing: every rung that can be made
and computes what its graph says stays."""
SMALL = {
    "finetune": {"epochs": 4, "batch_size": 8, "learning_rate": 3e-3, "threads": 1},
    "pretrain": {"batch_size": 4, "sequence_length": 24, "validate_every": 2, "validation_sequences": 8, "threads": 1},
    "distill": {"epochs": 1, "threads": 1},
}


@dataclass(frozen=True)
class Way:
    """One family's artifacts in a folder, each made by its stage's own function."""

    name: str
    folder: Path
    params: Params
    rows: Path
    run: RecordedRun

    @property
    def stage(self) -> tuple[Any, ...]:
        """What the stages of a task take between their section and their paths."""
        return self.params.tasks["places"], "places"

    def store(self, name: str) -> CheckpointStore:
        return CheckpointStore(self.folder / ".checkpoints" / name)

    def pretrained(self, name: str, **changes: Any) -> dict[str, Any]:
        config = self.params.pretrain.model_copy(update=changes)
        paths = self.folder / "tokens", self.folder / "tokenizer", self.folder / name
        trainer, store = self.params.trainer, self.store(name)
        return pretrain(config, self.params.model, trainer, 7, *paths, store, self.run)

    def classified(self, pretrained: str) -> dict[str, Any]:
        given = self.params.trainer, 7, self.rows, self.folder / pretrained
        return finetune(
            self.params.finetune, *self.stage, *given, self.folder / "teacher", self.store("finetune"), self.run
        )

    def distilled(self) -> dict[str, Any]:
        given = self.params.trainer, 7, self.rows, self.folder / "teacher", self.folder / "student"
        return distill(self.params.distill, *self.stage, *given, self.store("distill"), self.run)

    def exported(self) -> dict[str, Any]:
        paths = self.rows, self.folder / "student", self.folder / "onnx"
        return export(self.params.export, *self.stage, *paths, self.run)

    def bundled(self) -> Path:
        onnx, quantized, bundle = (self.folder / name for name in ("onnx", "quantized", "bundle"))
        quantize(self.params.quantize, *self.stage, self.rows, onnx, quantized, self.run)
        paths = self.rows, self.folder / "student", onnx, quantized, bundle
        build(self.params.build, self.params.gate, *self.stage, *paths, self.run)
        return bundle


def start(name: str, folder: Path, params: Params, rows: Path, run: RecordedRun) -> tuple[Way, Words]:
    """What comes before pretraining, with the parameters that `lianzi init-from` gives."""
    base = str(family_checkpoint(name, folder / "base"))
    content = params.model_dump(by_alias=True)
    content["tasks"] = {"places": {"kind": "classification", "language": "en", "max_length": 48}}
    found = inspect(base)
    words = words_of(base, found, [])
    for parameter, setting in settings_for(base, found, words, check(content)).items():
        *path, last = parameter.split(".")
        reduce(getitem, path, content)[last] = setting.value
    for section, changes in (*LOOSE.items(), *SMALL.items()):
        content[section] |= changes
    made = check(content)
    assert made.tasks["places"].max_length == (48 if name == "xlnet" else 40)
    (folder / "tokenizer").mkdir()
    write_imported(made.train_tokenizer, base, folder / "tokenizer")
    write_manifest(folder / "tokenizer", "tokenizer", {}, vocab_size=len(load_tokenizer(folder / "tokenizer")))
    return Way(name, folder, made, rows, run), words


def check(content: dict[str, Any]) -> Params:
    return check_params(content, "params")


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_a_checkpoint_becomes_a_bundle_that_answers(
    name: str, tmp_path: Path, params: Params, task_rows: Path, run: RecordedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIANZI_CACHE", str(tmp_path / "cache"))
    way, words = start(name, tmp_path, params, task_rows, run)
    small_tokens(tmp_path / "tokens", tmp_path / "tokenizer")

    further = way.pretrained("trained further", steps=2)
    assert np.isfinite(further["validation_loss"])
    assert way.pretrained("pretrained")["tokens_seen"] == 0

    assert way.classified("pretrained")["teacher"]["macro_f1"] > 0.25
    assert way.distilled()["agreement"] == 1.0
    assert way.exported()["parity"]["max_difference"] <= way.params.export.max_difference
    bundle = way.bundled()
    rungs = read_manifest(bundle, "bundle")["ladder"]
    texts = [text for text, _ in sentences(8)]
    expected = load_bundle(bundle, "fp32").logits(texts).argmax(axis=1)
    for rung in rungs:
        # Four bits leave little of a width of 32: most answers have to be the same, not the logits.
        assert (load_bundle(bundle, rung).logits(texts).argmax(axis=1) == expected).mean() >= 0.75, rung
    hold(name, row(name, words, rungs))


def row(name: str, words: Words, rungs: list[str]) -> str:
    """What stands in the documentation."""
    new = " ".join(f"`{token}`" for token in words.added) or "none"
    reads = architecture(name.replace("-", "_")).pooling
    return f"| `{name}` | {words.kind} | `{words.roles['pad_token']}` | {new} | {reads} | yes | {', '.join(rungs)} |"


def hold(name: str, line: str) -> None:
    """Fail where the documentation has another row; write it there where LIANZI_WRITE_TABLES asks for that."""
    before, _, rest = DOCS.read_text(encoding="utf-8").partition(BEGIN)
    table, _, after = rest.partition(END)
    lines = [one for one in table.strip().splitlines() if not one.startswith(f"| `{name}` |")]
    if os.environ.get("LIANZI_WRITE_TABLES"):
        head, body = lines[:2], sorted([*lines[2:], line], key=lambda one: list(FAMILIES).index(one.split("`")[1]))
        DOCS.write_text("\n".join([f"{before}{BEGIN}", *head, *body, f"{END}{after}"]), encoding="utf-8")
    assert line in DOCS.read_text(encoding="utf-8"), "LIANZI_WRITE_TABLES=1 pytest tests/test_families.py writes it"


def test_the_documentation_has_a_row_for_every_family() -> None:
    table = DOCS.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert [line.split("`")[1] for line in table.strip().splitlines()[2:]] == list(FAMILIES)
    assert {name.replace("-", "_") for name in FAMILIES} == set(ONE_STACK)
