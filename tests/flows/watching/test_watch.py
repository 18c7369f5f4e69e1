"""A look at what the servers were asked: drift, the canary, and what follows."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from components import tracking
from components.errors import ArtifactError, DataError, ParameterError
from components.params import Params
from components.registry import DECLINED, GATE, Registry
from flows.watching import watch as module
from flows.watching.reference import answers_of, reference_of
from flows.watching.watch import Outcome, Watch, raise_failed, watch_tasks
from tests.small_ladder import Ladder

REQUESTS = ".lianzi/requests.jsonl"


@pytest.fixture
def registry(project: Path, ladder: Ladder) -> Registry:
    """Version 1 is champion of `form`, version 2 the same model."""
    shutil.copytree(ladder.rows, project / "artifacts" / "tasks" / "form")
    client = tracking.connect()
    client.create_registered_model("form")
    for number in (1, 2):
        folder = project / "mlflow" / "artifacts" / f"model{number}"
        shutil.copytree(ladder.bundle, folder / "data" / "bundle")
        client.create_model_version("form", folder.as_uri())
    registry = Registry()
    registry.set_champion("form", 1)
    return registry


TEXTS = [f"ship wave {number}" for number in range(60)]


def log(project: Path, texts: list[str], answers: list[str], version: str = "1") -> None:
    (project / ".lianzi").mkdir(exist_ok=True)
    head: dict[str, Any] = {
        "model": "form",
        "version": version,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    head |= {"score": 0.9, "canary": version == "2"}
    with (project / REQUESTS).open("a") as lines:
        for number, (text, answer) in enumerate(zip(texts, answers, strict=True)):
            request = f"{version}-{text}-{number}"
            lines.write(
                json.dumps(head | {"request": request, "text": text, "answer": answer, "milliseconds": 3.0}) + "\n"
            )


def look(project: Path, params: Params, act: bool = False) -> Outcome:
    limits = params.watch.model_copy(update={"window": 50, "canary_rows": 50})
    [outcome] = watch_tasks(project, params, ("form",), Watch(limits, act=act))
    return outcome


def test_without_a_champion_or_a_task_nothing_is_watched(project: Path, params: Params) -> None:
    with pytest.raises(ArtifactError, match="no champion yet"):
        watch_tasks(project, params, ("form",), Watch(params.watch))
    assert watch_tasks(project, params, (), Watch(params.watch)) == []
    with pytest.raises(ParameterError, match=r"'moods' is no task of params.yaml\nknown: "):
        watch_tasks(project, params, ("moods",), Watch(params.watch))


def test_a_champion_whose_answers_moved_is_told_once_and_reported(
    project: Path, params: Params, registry: Registry, ladder: Ladder
) -> None:
    reference = reference_of(project, "form", ladder.bundle, project / "reference.json")
    assert set(reference.counts) == {"length", "answer", "confidence"}
    assert reference_of(project, "form", ladder.bundle, project / "reference.json") == reference
    log(project, TEXTS, ["sea"] * 60)
    outcome = look(project, params)
    assert outcome.drift
    assert any("drift of answer" in line for line in outcome.lines)
    assert look(project, params).drift is False
    report = json.loads((project / ".lianzi" / "watch" / "form" / "report.json").read_text())
    assert (report["windows"], report["waiting"]) == ([], 10)


def test_a_canary_that_was_no_worse_becomes_champion(
    project: Path, params: Params, registry: Registry, ladder: Ladder
) -> None:
    registry.set_challenger("form", 2)
    assert "nothing was asked yet" in look(project, params, act=True).lines[-1]
    answers = [answer for answer, _ in answers_of(ladder.bundle, TEXTS)]
    log(project, TEXTS, answers, "2")
    assert "60 of 50 answers to different texts, 0 of 50 by the champion" in look(project, params, act=True).lines[-1]
    log(project, TEXTS, answers)
    outcome = look(project, params)
    assert outcome.lines[-1] == "form: `lianzi approve form` or `lianzi watch form --act` follows it"
    outcome = look(project, params, act=True)
    assert outcome.lines[-1] == outcome.moved == "form v2 is the champion now, after its canary"
    champion = registry.champion("form")
    assert champion is not None
    assert champion.version == 2
    assert champion.tags[f"{GATE}canary"].startswith("passed: 60 answers to different texts; 0 of 60 requests failed")
    assert registry.log("form")[-2].by == "canary"


def test_a_canary_with_quite_other_answers_is_declined_with_the_reason(
    project: Path, params: Params, registry: Registry
) -> None:
    registry.set_challenger("form", 2)
    log(project, TEXTS, ["none of the labels"] * 60, "2")
    log(project, TEXTS, ["sea"] * 60)
    assert "form v2 was declined" in look(project, params, act=True).lines[-1]
    assert registry.challenger("form") is None
    [declined] = [one for one in registry.versions("form") if one.version == 2]
    assert "0.0% of answers are the champion's" in declined.tags[DECLINED]


def test_a_log_that_is_not_there_is_told_and_refused_where_it_was_named(
    project: Path, params: Params, registry: Registry
) -> None:
    assert look(project, params).lines[0].startswith(f"form: no log at {REQUESTS}: `lianzi serve")
    with pytest.raises(DataError, match=r"other.jsonl: no log of requests\n`lianzi serve"):
        watch_tasks(project, params, ("form",), Watch(params.watch, Path("other.jsonl")))


def test_a_task_that_cannot_be_looked_at_keeps_no_other_from_being_told(
    project: Path, params: Params, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ArtifactError("bundle: damaged", "make it again")

    monkeypatch.setattr(module, "reference_of", broken)
    outcomes = watch_tasks(project, params, ("form",), Watch(params.watch))
    assert outcomes[0].lines[-1] == "form: not looked at: bundle: damaged"
    with pytest.raises(ArtifactError, match="damaged"):
        raise_failed(outcomes)
