"""`lianzi import` as a person types it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.import_documents import counted, noted_interrupts
from cli.main import main
from components.corpus.read import read_records
from components.corpus.row_filter import RowFilter
from components.params import load_params


@pytest.fixture
def folder(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with an empty data/ and a CSV file beside it; also the working directory."""
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(root / name, tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "pets.csv").write_text("id,text\n1,one cat\n2,two dogs\n3,\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lianzi_import(*words: str) -> Result:
    return CliRunner().invoke(main, ["import", *words])


def test_an_import_makes_a_source_names_it_and_says_what_is_next(folder: Path) -> None:
    comments = (folder / "params.yaml").read_text().count("#")
    result = lianzi_import("pets.csv", "--language", "en", "--licence", "MIT")
    assert result.exit_code == 0, result.output
    records = list(read_records(folder / "data" / "corpus" / "pets.jsonl.zst"))
    assert [(record.name, record.text()) for record in records] == [("1", "one cat"), ("2", "two dogs")]
    assert records[1].fields["provenance"] == "pets.csv:3"
    entry = load_params(folder / "params.yaml").corpus["pets"]
    assert (entry.weight, entry.language, entry.licence) == (1.0, "en", "MIT")
    assert (folder / "params.yaml").read_text().count("#") == comments
    about = json.loads((folder / "data" / "corpus" / "pets.source.json").read_text())
    assert (about["source"], about["documents"], about["skipped"]) == ("pets.csv", 2, {"empty": 1})
    assert "passed over, empty: 1" in result.output
    assert "dvc add data" in result.output
    assert "lianzi run" in result.output


def test_a_mixed_import_keeps_both_its_halves(folder: Path) -> None:
    english, chinese = (
        "The captain of vessel {} walked along the harbour",
        "第{}位老人每天早上都到河边散步，看看来往的船只和行人",
    )
    rows = "".join(f"{n},{english.format(n)}\n{n}z,{chinese.format(n)}\n" for n in range(20))
    (folder / "both.csv").write_text(f"id,text\n{rows}", encoding="utf-8")
    result = lianzi_import("both.csv")
    assert "language: en, zh, as far as is known" in result.output
    params = load_params(folder / "params.yaml")
    assert params.corpus["both"].language == ["en", "zh"]
    row_filter = RowFilter(params.curate, {"both": params.corpus["both"].language})
    records = read_records(folder / "data" / "corpus" / "both.jsonl.zst")
    assert {row_filter.apply(record.text(), "", "both").reason for record in records} == {None}


def test_the_same_import_gives_the_same_bytes(folder: Path) -> None:
    assert lianzi_import("pets.csv").exit_code == 0
    before = {path.name: path.read_bytes() for path in (folder / "data" / "corpus").iterdir()}
    assert lianzi_import("pets.csv", "--replace").exit_code == 0
    assert {path.name: path.read_bytes() for path in (folder / "data" / "corpus").iterdir()} == before


def test_a_replaced_source_keeps_what_params_yaml_says_of_it(folder: Path) -> None:
    lianzi_import("pets.csv", "--licence", "MIT", "--language", "en")
    result = lianzi_import("pets.csv", "--replace", "--limit", "1", "--language", "fr")
    entry = load_params(folder / "params.yaml").corpus["pets"]
    assert (entry.language, entry.licence) == ("fr", "MIT")
    assert "1 documents" in result.output


def test_a_relative_path_is_seen_from_where_it_was_typed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "inside").mkdir()
    monkeypatch.chdir(folder / "inside")
    assert lianzi_import("../pets.csv").exit_code == 0
    assert (folder / "data" / "corpus" / "pets.jsonl.zst").is_file()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("gone.csv",), "gone.csv: no such file or folder"),
        (("pets.csv", "--text-column", "body"), "no column 'body'"),
        (("pets.csv", "--name", "a/b"), "not a name for a source"),
        (("empty.csv",), "holds no rows"),
        (("blank.csv",), "no document to import"),
    ],
)
def test_a_mistake_is_told_and_leaves_nothing(folder: Path, words: tuple[str, ...], told: str) -> None:
    (folder / "empty.csv").write_text("text\n")
    (folder / "blank.csv").write_text("id,text\n1,\n")
    before = (folder / "params.yaml").read_bytes()
    result = lianzi_import(*words)
    assert result.exit_code == 1
    assert told in result.output
    assert "Traceback" not in result.output
    assert not list((folder / "data" / "corpus").iterdir())
    assert (folder / "params.yaml").read_bytes() == before


def test_an_earlier_import_is_not_overwritten_unasked(folder: Path) -> None:
    lianzi_import("pets.csv")
    result = lianzi_import("pets.csv")
    assert result.exit_code == 1
    assert "--replace imports it again" in result.output


def test_a_project_without_data_says_how_to_get_it(folder: Path) -> None:
    (folder / "data").rmdir()
    result = lianzi_import("pets.csv")
    assert result.exit_code == 1
    assert "dvc pull data" in result.output


def test_an_interrupted_import_leaves_nothing(folder: Path, root: Path) -> None:
    (folder / "many.jsonl").write_text('{"text": "some words that stand here very often"}\n' * 1_000_000)
    environment = os.environ | {"PYTHONPATH": str(root)}
    words = [sys.executable, "-m", "cli.main", "import", "many.jsonl"]
    importing = subprocess.Popen(words, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
    while not list(folder.glob("data/corpus/.many*")):
        assert importing.poll() is None
        time.sleep(0.02)
    importing.send_signal(signal.SIGINT)
    assert "interrupted; nothing was imported" in importing.communicate(timeout=60)[1]
    assert importing.returncode == 130
    assert not list((folder / "data" / "corpus").iterdir())
    assert "many" not in load_params(folder / "params.yaml").corpus


def test_an_interrupt_that_a_library_swallows_is_not_lost() -> None:
    """As one that is raised while C code calls back."""

    def swallowing() -> Iterator[int]:
        for number in range(10):
            if number == 3:
                with suppress(KeyboardInterrupt):
                    os.kill(os.getpid(), signal.SIGINT)
                    time.sleep(1)
            yield number

    read = []
    with pytest.raises(KeyboardInterrupt), noted_interrupts() as noted:
        read.extend(counted(swallowing(), "numbers", noted))
    assert noted == [signal.SIGINT]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_memory_does_not_grow_with_the_source(folder: Path, root: Path) -> None:
    """Forty megabytes of rows pass through a process that may not grow by half as much."""
    with (folder / "many.jsonl").open("w") as stream:
        stream.writelines(json.dumps({"text": f"{number} " + "words " * 300}) + "\n" for number in range(22_000))
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from cli.import_documents import ImportOptions, import_source\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "import_source(Path.cwd(), 'pets.csv', ImportOptions(name='first'))\n"
        "before = peak()\n"
        "import_source(Path.cwd(), 'many.jsonl', ImportOptions(name='second'))\n"
        "sys.exit(peak() - before > 20_000)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", program], cwd=folder, env=environment, check=True, timeout=120)
