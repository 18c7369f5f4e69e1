"""cli.init_from: what is said of a checkpoint, what changes in params.yaml."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from cli.init_from import as_seen_from, init_from, rate_for
from components.errors import LianziError
from components.modeling.inspection import check_start
from components.params import load_params
from tests.small_families import family_checkpoint


@pytest.fixture
def project(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(root / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(project: Path, name: str, write: bool = True) -> str:
    lines: list[str] = []
    init_from(project, name, write, lines.append)
    return "\n".join(lines)


def test_an_encoder_is_taken_whole_and_as_it_is(project: Path) -> None:
    family_checkpoint("roberta", project / "base")
    said = told(project, "base")
    assert said.startswith("base: roberta, an encoder\n")
    assert "vocabulary  331 tokens (BPE)" in said
    assert re.search(r"tasks.topic.max_length +160 -> 40 ", said)
    assert said.endswith("Next: lianzi run")
    params = load_params(project / "params.yaml")
    assert (params.pretrain.init_from, params.train_tokenizer.imported) == ("base", "base")
    assert params.model.architecture == "roberta"
    assert (params.pretrain.steps, params.finetune.without_pretraining) == (0, False)
    assert {params.tasks[name].max_length for name in params.tasks} == {40}
    assert params.distill.width_fraction == params.distill.depth_fraction == params.distill.ffn_fraction == 1.0
    assert params.distill.min_token_count == 0
    assert params.finetune.learning_rate == rate_for(1)
    assert params.finetune.token_masking > 0
    assert check_start(params) is not None


def test_a_decoder_learns_by_its_own_objective_and_without_a_mask(project: Path) -> None:
    family_checkpoint("gpt2", project / "base")
    assert "added: [PAD] [CLS] [MASK]" in told(project, "base")
    params = load_params(project / "params.yaml")
    assert params.pretrain.objective.name == "clm"
    assert params.finetune.token_masking == 0
    assert check_start(params) is not None


def test_comments_and_everything_else_stay(project: Path) -> None:
    family_checkpoint("bert", project / "base")
    before = (project / "params.yaml").read_text(encoding="utf-8").splitlines()
    said = told(project, "base")
    after = (project / "params.yaml").read_text(encoding="utf-8").splitlines()
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == said.count(" -> ")
    assert any("# a local folder or hub name" in line for line in changed)


def test_a_dry_run_changes_nothing(project: Path) -> None:
    family_checkpoint("bert", project / "base")
    before = (project / "params.yaml").read_bytes()
    assert "params.yaml would change:" in told(project, "base", write=False)
    assert (project / "params.yaml").read_bytes() == before


def test_a_second_time_there_is_nothing_to_change(project: Path) -> None:
    family_checkpoint("bert", project / "base")
    told(project, "base")
    before = (project / "params.yaml").read_bytes()
    assert "nothing to change" in told(project, "base")
    assert (project / "params.yaml").read_bytes() == before


def test_what_cannot_be_gone_on_from_leaves_the_parameters(project: Path) -> None:
    family_checkpoint("bert", project / "base")
    path = project / "base" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    before = (project / "params.yaml").read_bytes()
    with pytest.raises(LianziError, match="cut short"):
        told(project, "base")
    assert (project / "params.yaml").read_bytes() == before


def test_a_folder_is_named_from_the_project(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (project / "models" / "base").mkdir(parents=True)
    outside = tmp_path_factory.mktemp("outside")
    assert as_seen_from(project, "models/base") == "models/base"
    assert as_seen_from(project, str(project / "models" / "base")) == "models/base"
    assert as_seen_from(project, str(outside)) == str(outside)
    commit = f"owner/name@{'0' * 40}"
    assert as_seen_from(project, commit) == commit


@pytest.mark.parametrize(("parameters", "rate"), [(22_000_000, 1e-4), (110_000_000, 5e-5), (1_500_000_000, 2e-5)])
def test_a_larger_model_learns_slower(parameters: int, rate: float) -> None:
    assert rate_for(parameters) == rate
