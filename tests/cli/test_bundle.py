from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from cli.bundle import ROWS, held_out_texts
from cli.main import main
from components import tracking
from components.artifacts import MANIFEST
from components.corpus.documents import write_shard
from components.deployment import folder_bundle
from components.registry import Registry
from components.runtime.generation.generator import load_generator
from tests.small_artifacts import sentences
from tests.small_language_models import small_model_folder


def lianzi(*words: str) -> Result:
    return CliRunner().invoke(main, words)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> tuple[Path, Result]:
    """A model's bundle, made by the command as a person types it, and what it said."""
    folder = tmp_path_factory.mktemp("command")
    small_model_folder(folder / "llama", "llama", tokenizer_folder)
    (folder / "rows.txt").write_text("\n".join(text for text, _ in sentences(40)), encoding="utf-8")
    words = ("bundle", str(folder / "llama"), str(folder / "bundle"), "--rows", str(folder / "rows.txt"))
    return folder / "bundle", lianzi(*words, "--rungs", "int8", "--no-speed", "--name", "words")


def test_the_command_tells_how_it_goes_and_what_ships(bundle: tuple[Path, Result]) -> None:
    folder, result = bundle
    assert result.exit_code == 0, result.output
    assert "llama: decoder, llama" in result.output
    assert "fp32: largest difference" in result.output
    assert "ships int8: the smallest accepted rung" in result.output
    assert load_generator(folder).name == "words"


def test_a_tasks_champion_carries_a_text_on(project: Path, bundle: tuple[Path, Result]) -> None:
    params = YAML().load(project / "params.yaml")
    params["tasks"] = {"story": {"kind": "generation", "language": "en", "max_length": 32}}
    params["model"]["architecture"], params["pretrain"]["objective"] = "llama", {"name": "clm"}
    YAML().dump(params, project / "params.yaml")
    folder = project / "mlflow" / "artifacts" / "model"
    shutil.copytree(bundle[0], folder / "data" / "bundle")
    client = tracking.connect()
    client.create_registered_model("story")
    client.create_model_version("story", folder.as_uri())
    Registry().set_champion("story", 1)
    by_name, by_folder = (lianzi("generate", what, "ship", "--max-tokens", "4") for what in ("story", str(bundle[0])))
    assert by_name.exit_code == 0, by_name.output
    assert by_name.output == by_folder.output != "\n"
    asked = lianzi("predict", "story", "ship")
    assert asked.exit_code == 1
    assert "story carries texts on\nlianzi generate story" in asked.output


def test_a_bundle_answers_beside_a_params_yaml_of_something_else(
    bundle: tuple[Path, Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).write_text("train: {rate: 1}\n")
    answered = lianzi("generate", str(bundle[0]), "ship", "--max-tokens", "4")
    assert answered.exit_code == 0, answered.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("bundle", "nowhere", "out", "--rows", "rows.txt"), "nowhere: no such folder"),
        (("bundle", "model", "out", "--rows", "none.txt"), "none.txt: no such file"),
        (("bundle", "model", "out", "--rows", "empty.txt"), "empty.txt: no text in it"),
        (("bundle", "model", "out", "--rows", "bad.jsonl"), "bad.jsonl:2: no `text`"),
        (("bundle", "model", "out", "--rows", "latin.txt"), "latin.txt: not UTF-8"),
        (("bundle", "model", "out"), "no held-out text"),
        (("bundle", "model", "taken", "--rows", "rows.txt"), "taken: there is something else here"),
        (("bundle", "model", "out", "--rows", "rows.txt", "--rungs", "int5"), "no rung 'int5'"),
        (("bundle", "model", "out", "--rows", "rows.txt"), "no config.json here"),
    ],
)
def test_a_mistake_is_a_line_not_a_traceback(
    words: tuple[str, ...], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/thesis.txt").write_text("mine")
    (tmp_path / "rows.txt").write_text("one two", encoding="utf-8")
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "bad.jsonl").write_text('{"text": "a"}\n{"words": 1}\n')
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    result = lianzi(*words)
    assert result.exit_code in (1, 2)
    assert told in result.output
    assert "Traceback" not in result.output


def test_held_out_text_is_the_corpus_validation_split_spread_evenly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"id": f"a/{number}", "text": f"text {number}"} for number in range(1000)]
    write_shard(tmp_path / "artifacts/corpus/validation/a-00000.parquet", rows)
    texts = held_out_texts(None)
    assert len(texts) == ROWS
    assert (texts[0], texts[-1]) == ("text 0", "text 996")


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What looks like a model's folder, in the folder one works in; anything that would read it fails."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.safetensors").write_text("precious")
    (tmp_path / "model" / MANIFEST).write_text('{"kind": "bundle"}')
    (tmp_path / "rows.txt").write_text("one two", encoding="utf-8")
    return tmp_path / "model"


def project(place: Path) -> None:
    (place / "made").mkdir()
    (place / "made/params.yaml").write_text("seed: 1")


def extension(place: Path) -> None:
    (place / "made").mkdir()
    (place / "made" / MANIFEST).write_text('{"name": "extension", "manifest_version": 3}')


def link(place: Path) -> None:
    (place / "real").mkdir()
    (place / "made").symlink_to("real")


def file(place: Path) -> None:
    (place / "made").write_text("mine")


def nothing(place: Path) -> None:
    assert not (place / "made").exists()


@pytest.mark.parametrize(
    ("bundle", "there", "told"),
    [
        ("model", nothing, "the same folder as model"),
        ("model/made", nothing, "one inside the other: model"),
        (".", nothing, "one inside the other: model"),
        ("/", nothing, "one inside the other: model"),
        ("made", project, "there is something else here"),
        ("made", extension, "there is something else here"),
        ("made", link, "a link to real"),
        ("made", file, "there is a file of that name"),
        ("rows.txt/made", nothing, "cannot be written: File exists"),
    ],
)
def test_what_is_in_the_way_is_told_before_anything_is_read(
    model: Path, bundle: str, there: Callable[[Path], None], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there(model.parent)
    monkeypatch.setattr(folder_bundle, "read_source", lambda _: pytest.fail("the model was read"))
    before = states(model.parent)
    result = lianzi("bundle", "model", bundle, "--rows", "rows.txt")
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    assert told in result.output
    assert len(result.output.splitlines()) == 2
    assert states(model.parent) == before


def states(folder: Path) -> dict[Path, tuple[int, ...]]:
    """What a change of a file or folder would show in; reading one moves its time of access."""
    stats = {path: path.lstat() for path in folder.rglob("*")}
    return {path: (one.st_mode, one.st_ino, one.st_size, one.st_mtime_ns) for path, one in stats.items()}


@pytest.mark.parametrize("name", ["a/b", "a b", "../x", ".x", "a\nb"])
def test_a_model_gets_a_name_that_its_clients_can_write(model: Path, name: str) -> None:
    result = lianzi("bundle", "model", "made", "--rows", "rows.txt", "--name", name)
    assert result.exit_code == 1
    assert "not a name for a model\n--name gives it another" in result.output
    model.rename(model.with_name("my model"))
    assert "not a name for a model" in lianzi("bundle", "my model", "made", "--rows", "rows.txt").output
    assert not (model.parent / "made").exists()
