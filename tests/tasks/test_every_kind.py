"""Every kind of task through the whole ladder: labelled rows, teacher, student, graphs, bundle, answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from components.analysis.analyze import analyze
from components.artifacts import read_manifest, write_json
from components.deployment.bundle import build
from components.deployment.export import export
from components.deployment.quantize import quantize
from components.evaluation.evaluate import evaluate
from components.params import Params
from components.run import RecordedRun
from components.runtime.bundle import load_bundle
from components.runtime.generation.generator import Sampling, load_generator
from components.tasks.kinds import KINDS, Kind
from components.tasks.rows import read_task
from components.training.distill import distill
from components.training.finetune import finetune
from components.training.from_scratch import train_from_scratch
from components.training.store import CheckpointStore
from tests.serving.running import running
from tests.small_artifacts import with_tokens
from tests.small_kinds import ROW_OF, ROWS, RowOf, grades, paired, small_config, small_rows
from tests.small_tuning import pretrained_folder

pytestmark = pytest.mark.slow
TEXTS = ["ship wave harbour sail whale", "street tower market crowd lamp"]
RELATED = [
    "ship wave harbour [E1] sail [/E1] [E2] whale [/E2]",
    "street tower market [E1] crowd [/E1] [E2] lamp [/E2]",
]
PAIRS = [(TEXTS[0], "whale sail harbour wave ship"), (TEXTS[0], "street tower market")]

Answered = Mapping[str, list[Any]]
"""Output of the server -> what it has of each text."""


@dataclass(frozen=True)
class Case:
    """A kind in this test: its rows, and `check`, which fails where the answers to what is `asked`, those of
    `load_bundle` and the `outputs` of a server, are wrong. `good`: whether a score is that of a model which has
    learned; `more`: parameters of its own; `training` and `distilled`: settings of both trainings, and of
    distillation."""

    row_of: RowOf
    outputs: tuple[str, ...]
    check: Callable[[Sequence[Any], Answered], None]
    architecture: str = "modernbert"
    good: Callable[[float], bool] = lambda score: score > 0.6
    asked: Sequence[Any] = tuple(TEXTS)
    more: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    distilled: Mapping[str, Any] = field(default_factory=dict)


def check_classes(answers: Sequence[Any], served: Answered) -> None:
    assert [answer.label for answer in answers] == served["label"] == ["sea", "city"]


def check_label_sets(answers: Sequence[Any], served: Answered) -> None:
    assert [list(answer.labels) for answer in answers] == [json.loads(row) for row in served["labels"]]
    assert [answer.labels for answer in answers] == [("sea",), ("city",)]


def check_stars(answers: Sequence[Any], served: Answered) -> None:
    sea, city = (answer.number for answer in answers)
    assert 5 > sea > city > 0
    assert served["number"] == [pytest.approx(sea, abs=0.1), pytest.approx(city, abs=0.1)]


def check_relations(answers: Sequence[Any], served: Answered) -> None:
    assert [answer.label for answer in answers] == served["label"]
    assert {answer.label for answer in answers} <= {"sea", "city", "neither"}


def check_entities(answers: Sequence[Any], served: Answered) -> None:
    told = [[(one["label"], one["text"]) for one in json.loads(row)] for row in served["entities"]]
    assert told == [[(one.label, one.text) for one in answer.entities] for answer in answers]
    assert told == [[("SEA", TEXTS[0])], [("CITY", TEXTS[1])]]


def check_texts(answers: Sequence[Any], served: Answered) -> None:
    assert answers == served["text"]
    assert all(answer.strip() for answer in answers)


def check_grades(answers: Sequence[Any], served: Answered) -> None:
    assert [answer.label for answer in answers] == served["label"] == ["3", "1"]


def check_pairs(answers: Sequence[Any], served: Answered) -> None:
    assert [answer.label for answer in answers] == served["label"] == ["same", "other"]


def check_choices(answers: Sequence[Any], served: Answered) -> None:
    assert [(answer.number, answer.text) for answer in answers] == [(0, "ship wave"), (1, "harbour sail")]
    assert served["choice"] == ["ship wave", "harbour sail"]


def check_found(answers: Sequence[Any], served: Answered) -> None:
    assert [answer.answers[0] for answer in answers] == served["answer"]
    assert [answer.answers[0].partition(":")[0] for answer in answers] == ["sea", "city"]
    assert all(list(answer.scores) == sorted(answer.scores, reverse=True) for answer in answers)
    told = [[one["answer"] for one in json.loads(row)] for row in served["answers"]]
    assert told == [list(answer.answers) for answer in answers]


def check_spans(answers: Sequence[Any], served: Answered) -> None:
    assert [answer.text for answer in answers] == served["answer"] == ["ship", "street", ""]
    assert [(answer.start, answer.end) for answer in answers] == [(0, 4), (0, 6), (-1, -1)]
    assert served["start"] == [0, 0, -1]


def check_written(answers: Sequence[Any], served: Answered) -> None:
    assert [answer.strip() for answer in answers] == ["sea", "city"]
    assert answers == served["text"]


WHOLE = {"width_fraction": 1.0, "ffn_fraction": 1.0}
"""Of an encoder-decoder layers are left out, and nothing within them."""

SLOW = {"epochs": 10, "patience": 10, "learning_rate": 1e-3}
"""Reading one text to write another is learned late: what is attended to has to be found first."""

CASES = {
    "classification": Case(ROW_OF["classification"], ("label",), check_classes),
    # Of some 300 tokens; counting them gives 6.
    "generation": Case(ROW_OF["generation"], ("text",), check_texts, "gpt2", lambda perplexity: perplexity < 6),
    "multi_label": Case(ROW_OF["multi_label"], ("labels",), check_label_sets),
    "multiple_choice": Case(
        ROW_OF["multiple_choice"],
        ("choice",),
        check_choices,
        asked=[("which?", "ship wave", "street tower"), ("which?", "wheat plough", "harbour sail")],
    ),
    "question_answering": Case(
        ROW_OF["question_answering"],
        ("answer", "start"),
        check_spans,
        asked=[("which sea?", TEXTS[0]), ("which city?", TEXTS[1]), ("which sea?", TEXTS[1])],
        more={"doc_stride": 4},
    ),
    "regression": Case(ROW_OF["regression"], ("number",), check_stars),
    "relation_extraction": Case(ROW_OF["relation_extraction"], ("label",), check_relations, asked=RELATED),
    # Three answers at random have 0.71.
    "retrieval": Case(ROW_OF["retrieval"], ("answer", "answers"), check_found, good=lambda ndcg: ndcg > 0.9),
    "summarization": Case(ROW_OF["summarization"], ("text",), check_written, "t5", training=SLOW, distilled=WHOLE),
    "token_classification": Case(ROW_OF["token_classification"], ("entities",), check_entities),
    "translation": Case(ROW_OF["translation"], ("text",), check_written, "t5", training=SLOW, distilled=WHOLE),
}
PAIR = Case(paired, ("label",), check_pairs, "bert", asked=PAIRS, more={"pair": True})
"""BERT is told which of the two texts a token is of."""
SCRATCH = Path(__file__).parent / "scratch" / "ordinal.py"
"""A kind that the table does not know, in one file."""
ENTRY = Kind("ordinal:Ordinal", "weighted_kappa", "weighted kappa")
GRADES = Case(grades, ("label",), check_grades)
LINES = 80
"""A kind takes no more."""


@dataclass(frozen=True)
class Walk:
    """From labelled rows to the answers of a server, in a folder; `program` is what Python runs for `lianzi`."""

    params: Params
    tokenizer: Path
    folder: Path
    run: RecordedRun
    program: Sequence[str] = ("-m", "cli.main")

    def go(self, kind: str, case: Case) -> None:
        params, tmp_path, run = self.params, self.folder, self.run
        task = small_config(kind, **case.more)
        rows = small_rows(tmp_path / "rows", kind, case.row_of, **case.more)
        tokenizer = with_tokens(self.tokenizer, tmp_path / "tokenizer", task.special_tokens())
        pretrained = pretrained_folder(tmp_path / "pretrained", tokenizer, case.architecture)
        short: dict[str, Any] = {"min_steps": 1, "epochs": 6, "patience": 6, "batch_size": 8, "learning_rate": 3e-3}
        short |= case.training
        made = {name: tmp_path / name for name in ("teacher", "scratch", "student", "onnx", "quantized", "bundle")}

        config = params.finetune.model_copy(update=short)
        store = CheckpointStore(tmp_path / "checkpoints")
        given = config, task, "places", params.trainer, 7, rows, pretrained
        tuned = finetune(*given, made["teacher"], store, run)
        train_from_scratch(*given, made["scratch"], CheckpointStore(tmp_path / "control-checkpoints"), run)
        metric = KINDS[kind].metric
        assert case.good(tuned["teacher"][metric])
        smaller = params.distill.model_copy(update={**short, "max_loss": 1.0, "min_token_count": 0, **case.distilled})
        store = CheckpointStore(tmp_path / "student-checkpoints")
        taught = distill(smaller, task, "places", params.trainer, 7, rows, made["teacher"], made["student"], store, run)
        assert case.good(taught[metric])
        export(params.export, task, "places", rows, made["student"], made["onnx"], run)
        small = quantize(params.quantize, task, "places", rows, made["onnx"], made["quantized"], run)
        assert case.good(small[metric])
        stages = (rows, made["student"], made["onnx"], made["quantized"], made["bundle"])
        build(params.build, params.gate, task, "places", *stages, run)

        config = params.evaluate.model_copy(update={"bootstrap_samples": 50})
        folders = (rows, made["teacher"], made["scratch"], made["student"], made["bundle"])
        found = evaluate(config, task, "places", 17, *folders, Path("answers.csv"), Path("report"), run)
        assert case.good(found["candidate"][metric])
        assert f"{metric}_low" in found["teacher"]
        write_json(Path("evaluated.json"), found)
        folders = (rows, rows, tmp_path / "corpus", made["student"], made["bundle"], Path("evaluated.json"))
        outputs = (Path("reliability.csv"), Path("coverage.csv"), Path("model"), Path("headline.json"))
        analyzed = analyze(params.analyze, task, "places", 17, *folders, *outputs, run)
        assert analyzed["test_rows"] == ROWS["test"]
        assert "What it was made from" in Path("model/index.html").read_text(encoding="utf-8")

        assert read_manifest(made["bundle"], "bundle")["task_kind"] == kind
        generates = read_manifest(made["bundle"], "bundle").get("form") == "generation"
        answers = carried_on(made["bundle"]) if generates else load_bundle(made["bundle"]).predict(case.asked)
        with running(tmp_path, made["bundle"], program=self.program) as server:
            named = [read_task(rows).named(row) for row in case.asked]
            given = [tensor(name, [row[name] for row in named]) for name in named[0]]
            body = {"inputs": given, "outputs": [{"name": name} for name in case.outputs]}
            url = f"http://127.0.0.1:{server.port}"
            if generates:
                case.check(answers, {"text": [completion(url, text) for text in TEXTS]})
                assert chat_completion(url, TEXTS[0]).strip()
                return
            answer = httpx.post(f"{url}/v2/models/places/infer", json=body, timeout=60).json()
        case.check(answers, {one["name"]: one["data"] for one in answer["outputs"]})


def tensor(name: str, values: list[Any]) -> dict[str, Any]:
    """An input of the protocol: of texts, or of lists of them."""
    shape = [len(values), *([len(values[0])] if isinstance(values[0], list) else [])]
    return {"name": name, "datatype": "BYTES", "shape": shape, "data": values}


def carried_on(bundle: Path) -> list[str]:
    by = Sampling(max_tokens=6, temperature=0.0, top_p=1.0, seed=None, stop=())
    return load_generator(bundle).complete(TEXTS, by)


def completion(url: str, text: str) -> str:
    body = {"model": "places", "prompt": text, "max_tokens": 6, "temperature": 0}
    answer = httpx.post(f"{url}/v1/completions", json=body, timeout=60).json()
    return str(answer["choices"][0]["text"])


def chat_completion(url: str, text: str) -> str:
    messages = [{"role": "user", "content": text}]
    body = {"model": "places", "messages": messages, "max_tokens": 6, "temperature": 0}
    answer = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=60).json()
    return str(answer["choices"][0]["message"]["content"])


@pytest.fixture
def walk(
    params: Params, tokenizer_folder: Path, tmp_path: Path, run: RecordedRun, monkeypatch: pytest.MonkeyPatch
) -> Walk:
    monkeypatch.setenv("LIANZI_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return Walk(params, tokenizer_folder, tmp_path, run)


def test_every_kind_has_a_case_here() -> None:
    assert set(CASES) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_goes_from_rows_to_answers(kind: str, walk: Walk) -> None:
    walk.go(kind, CASES[kind])


def test_pairs_of_texts_go_the_same_way(walk: Walk) -> None:
    walk.go("classification", PAIR)
    made = read_manifest(walk.folder / "bundle", "bundle")
    assert (made["pair"], made["token_types"]) == (True, True)


def test_a_kind_that_somebody_brings_goes_the_same_way(
    walk: Walk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One file outside the tree and one entry of the table."""
    outside = walk.folder / "outside"
    outside.mkdir()
    shutil.copy(SCRATCH, outside)
    lines = len(SCRATCH.read_text(encoding="utf-8").splitlines())
    with capsys.disabled():
        print(f"\n{SCRATCH.name}, a kind from outside: {lines} lines and one entry of the table")
    assert lines <= LINES

    monkeypatch.syspath_prepend(outside)
    monkeypatch.setitem(KINDS, "ordinal", ENTRY)
    program = f"""
import sys
from cli.main import main
from components.tasks.kinds import KINDS, Kind
sys.path.insert(0, {str(outside)!r})
KINDS["ordinal"] = {ENTRY}
main()
"""
    replace(walk, program=("-c", program)).go("ordinal", GRADES)
