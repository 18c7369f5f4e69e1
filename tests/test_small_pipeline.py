"""The whole pipeline, small: every stage real, from raw text to an answer of the champion."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from cli.run import pages
from components import tracking
from components.declared import declared
from components.params import read_yaml
from components.tracking.past_runs import REPRODUCED
from flows.recipes import read_recipes
from tests.browser import await_text, open_browser
from tests.imported_code import NO_RESULT_CODE
from tests.mlflow_server import MlflowServer
from tests.preloaded import preloaded
from tests.small_project import commit, make_small_project

pytestmark = pytest.mark.slow

SHIPPED = "topic/shipped/macro_f1"
CHANGED = ("finetune.learning_rate", "evaluate.bootstrap_samples")
"""The parameters that tell the three compared runs apart."""
EVALUATION, SPEED = Path("reports/evaluate/topic/index.html"), Path("reports/speed/topic/index.html")


def call(project: Path, *words: str, server: str = "first") -> str:
    """Run a command in the project; its output. `lianzi` is the project's own. `server`: of which its stages are
    forks."""
    command = [sys.executable, "-m", "cli.main", *words[1:]] if words[0] == "lianzi" else list(words)
    environment = os.environ | preloaded(server) | {"PYTHONPATH": str(project)}
    environment["PREFECT_HOME"] = str(project.parent / "prefect")
    environment.pop("MLFLOW_TRACKING_URI", None)
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def states(summary: str) -> dict[str, str]:
    """Stage -> state, from the table `lianzi run` ends with."""
    rows = [line.split() for line in summary.splitlines()]
    return {row[0]: row[1] for row in rows if len(row) > 1 and row[1] in ("ran", "cached", "restored", "failed")}


@pytest.fixture(scope="module")
def project(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project after its first `lianzi run`."""
    if not (root / "data").is_dir():
        subprocess.run(["dvc", "pull", "--quiet", "data"], cwd=root, check=True)
    folder = make_small_project(root, tmp_path_factory.mktemp("small") / "project")
    first = states(call(folder, "lianzi", "run"))
    assert set(first.values()) <= {"ran", "cached"}
    assert first["evaluate@topic"] == first["evaluate@form"] == first["release@topic"] == "ran"
    commit(folder, "first run")
    return folder


def test_after_lianzi_run_dvc_repro_has_nothing_to_do(project: Path) -> None:
    assert "up to date" in call(project, "dvc", "repro")
    assert call(project, "git", "status", "--porcelain") == ""


def test_a_second_run_executes_no_stage(project: Path) -> None:
    told = call(project, "lianzi", "run")
    assert "Nothing to do" in told
    assert set(states(told).values()) == {"cached"}


def shown(project: Path) -> dict[Path, bytes]:
    """The pages that a run names as next to look at. Fails where one is missing."""
    return {path: (project / path).read_bytes() for path in pages("topic")}


def test_every_page_is_there_and_of_its_result_restored_and_pulled(project: Path, tmp_path: Path) -> None:
    first = shown(project)
    assert f"<td>{_score(project):.4f}</td>" in first[EVALUATION].decode()

    # As after `make clean`: everything is restored, and the release's page made again from what it was released on.
    for folder in ("artifacts", "reports", ".lianzi"):
        shutil.rmtree(project / folder)
    again = call(project, "lianzi", "run")
    assert {state for name, state in states(again).items() if not name.startswith("release@")} <= {"cached", "restored"}
    second = shown(project)
    assert [path for path in first if second[path] != first[path]] == []
    assert all(str(path) in again for path in first)

    # A second clone pulls what was made, and its release has a page as soon as it has run.
    call(project, "dvc", "remote", "add", "--local", "--default", "store", str(tmp_path / "store"))
    call(project, "dvc", "push", "--quiet")
    clone = tmp_path / "clone"
    call(project, "git", "clone", "--quiet", str(project), str(clone))
    call(clone, "dvc", "remote", "add", "--local", "--default", "store", str(tmp_path / "store"))
    call(clone, "dvc", "pull", "--quiet")
    assert {path: page for path, page in first.items() if path != SPEED} == {
        path: (clone / path).read_bytes() for path in first if path != SPEED
    }
    (clone / "mlflow").mkdir(exist_ok=True)
    told = call(clone, "lianzi", "run")
    assert {state for name, state in states(told).items() if not name.startswith("release@")} == {"cached"}
    assert "Released: ships" in shown(clone)[SPEED].decode()
    assert call(clone, "git", "status", "--porcelain") == ""


def _score(project: Path) -> float:
    metrics = json.loads((project / "metrics/evaluate/topic.json").read_text(encoding="utf-8"))
    return float(metrics["candidate"]["macro_f1"])


def test_every_stage_is_a_run_nested_in_the_pipelines(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    client = tracking.connect()
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id], max_results=200)}
    nested = {name for name, run in runs.items() if "mlflow.parentRunId" in run.data.tags}
    assert {"curate", "pretrain", "finetune@topic", "evaluate@form"} <= nested
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert runs["pretrain"].data.params["pretrain.steps"] == "12"
    assert {item.dataset.name for item in runs["pretrain"].inputs.dataset_inputs} >= {"artifacts/tokens"}
    assert client.list_artifacts(runs["evaluate@topic"].info.run_id, "figures")


def test_the_champion_answers_through_the_command_and_through_mlflow(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "The blue whale is a marine mammal."
    answer = json.loads(call(project, "lianzi", "predict", "topic", text, "--json"))
    labels = json.loads((project / "artifacts/topic/bundle/manifest.json").read_text())["labels"]
    assert answer["label"] in labels
    program = (
        "import mlflow, pandas; from components import tracking; mlflow.set_tracking_uri(tracking.tracking_uri())\n"
        "model = mlflow.pyfunc.load_model('models:/topic@champion')\n"
        f"print(model.predict(pandas.DataFrame({{'text': [{text!r}]}}))['label'][0])"
    )
    assert call(project, sys.executable, "-c", program).strip().splitlines()[-1] == answer["label"]


@pytest.fixture(scope="module")
def second(project: Path) -> dict[str, str]:
    """What became of each stage when a parameter of fine-tuning had changed."""
    return states(call(project, "lianzi", "run", "--set", "finetune.learning_rate=0.002"))


def test_a_changed_finetune_parameter_reruns_finetune_and_what_follows(project: Path, second: dict[str, str]) -> None:
    ran = second
    before = ("data.dvc", "curate", "validate", "train_tokenizer", "tokenize", "pretrain")
    assert {name: ran[name] for name in before} == dict.fromkeys(before, "cached")
    changed = ("finetune", "train_from_scratch", "distill", "export", "quantize", "evaluate")
    after = [name for name in ran if name.partition("@")[0] in changed]
    assert len(after) == 12
    assert {ran[name] for name in after} == {"ran"}
    assert "finetune.learning_rate" in call(project, "dvc", "params", "diff", "HEAD")
    assert "metrics/headlines/topic.json" in call(project, "dvc", "metrics", "diff", "HEAD")
    assert "plots" in call(project, "dvc", "plots", "diff", "HEAD")


@pytest.mark.usefixtures("second")
def test_three_runs_are_compared_side_by_side_in_mlflows_page(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What differs, what came of it, and the learning rate against it in parallel coordinates; seen in a browser."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import WebDriverWait

    # A late parameter, so that two stages of each task run for it and not five.
    call(project, "lianzi", "run", "--set", "evaluate.bootstrap_samples=200")
    monkeypatch.chdir(project)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    client = tracking.connect()
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id], "tags.`lianzi.driver` = 'lianzi run'")
    runs = {tuple(run.data.params[name] for name in CHANGED): run for run in found if SHIPPED in run.data.metrics}
    assert set(runs) == {("0.001", "100"), ("0.002", "100"), ("0.002", "200")}
    assert runs["0.002", "200"].info.run_name.startswith("finetune.learning_rate=0.002, evaluate.bootstrap_")
    for run in runs.values():
        assert 15 <= len(run.data.metrics) <= 30
        assert {item.dataset.name for item in run.inputs.dataset_inputs} >= {
            "artifacts/corpus",
            "artifacts/tasks/topic",
        }

    chosen = json.dumps([run.info.run_id for run in runs.values()])
    page = f"/#/compare-runs?runs={quote(chosen)}&experiments={quote(json.dumps([experiment.experiment_id]))}"
    with (
        MlflowServer(project.parent / "server", project / "mlflow/mlflow.db") as server,
        open_browser(1600, 2400) as browser,
    ):
        browser.get(server.address + page)
        await_text(browser, "Comparing 3 Runs", "Show diff only", SHIPPED, seconds=120)
        metrics = browser.find_elements(By.CSS_SELECTOR, "input[role=combobox]")[1]
        box = metrics.find_element(By.XPATH, "ancestor::div[contains(@class, 'select-selector')]")
        keys = ActionChains(browser).click(box).send_keys(Keys.BACKSPACE, SHIPPED).pause(1)
        keys.send_keys(Keys.ENTER, Keys.ESCAPE).perform()
        browser.find_element(By.CSS_SELECTOR, "button[aria-label='Parameters - Show diff only']").click()

        def drawn() -> set[str]:
            return {text.text for text in browser.find_elements(By.CSS_SELECTOR, ".pcp-plot text")}

        WebDriverWait(browser, 60).until(lambda _: {"finetune.learning_rate", SHIPPED} <= drawn())
        told = await_text(browser, "Parameters", "Metrics")
        differing = told.partition("Show diff only")[2].partition("Metrics")[0].split()
        assert set(differing) == {*CHANGED, *(value for values in runs for value in values)}
        came = [run.data.metrics[SHIPPED] for run in runs.values()]
        await_text(browser, f"{min(came):.5f}", f"{max(came):.5f}")  # the ends of the plot's axis


def test_two_versions_are_compared_on_the_same_rows(project: Path) -> None:
    told = call(project, "lianzi", "compare", "form@1", "form@2")
    assert "parameter finetune.learning_rate: " in told
    assert re.search(r"form: form v2 beside form v1: (no difference|better in macro|worse in macro)", told)
    page = (project / "reports" / "compare" / "index.html").read_text(encoding="utf-8")
    assert page.count("(answers)") == 4  # of two tasks, in both


def test_the_champion_is_reproduced_from_its_version_byte_for_byte(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By stages with another order of Python's sets.
    told = call(project, "lianzi", "reproduce", "form@champion", server="another")
    assert "are equal, byte for byte" in told
    monkeypatch.chdir(project)
    client = tracking.connect()
    assert client.get_model_version_by_alias("form", "champion").tags[REPRODUCED].startswith("equal, ")


LOADED = """
import sys
from pathlib import Path
from components.stage_process import main
assert main(sys.argv[1:]) == 0
files = [Path(module.__file__) for module in sys.modules.values() if getattr(module, "__file__", None)]
print("loaded", *(path.relative_to(Path.cwd()).as_posix() for path in files if path.is_relative_to(Path.cwd())))
"""


@pytest.mark.parametrize("stage", ["validate", "tokenize", "evaluate@form"])
def test_a_stage_that_runs_loads_no_code_that_the_graph_does_not_name(
    project: Path, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)  # where the graph's names are those of its stages
    told = call(project, sys.executable, "-c", LOADED, *read_recipes(project)[stage].words)
    (line,) = [line for line in told.splitlines() if line.startswith("loaded ")]
    told_to_mlflow = ("components/tracking/", "components/registry.py")
    # Puts a value of params.yaml in one form; DVC compares the value itself.
    spelling = ("components/corpus/language_codes.py",)
    apart = told_to_mlflow + spelling
    loaded = {path for path in line.split()[1:] if path.startswith("components/") and not path.startswith(apart)}
    loaded = {path for path in loaded if not path.endswith("__init__.py")}
    assert f"components/{'evaluation/evaluate' if '@' in stage else 'artifacts'}.py" in loaded
    assert loaded <= {*declared(stage, read_yaml(project / "params.yaml")).code, *NO_RESULT_CODE}
