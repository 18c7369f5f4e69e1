"""cli.predict: the champion or a line that says why there is none."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cli.predict import answers, champion_model, check_texts_given, lines_of_file, rows_of_file, texts_of_rows
from components import tracking
from components.errors import ArtifactError, DataError, ParameterError
from components.registry import Registry
from components.runtime.signing import make_keys, sign_bundle
from tests.command_imports import command_imports
from tests.small_ladder import Ladder

HEAVY = ("mlflow", "sqlalchemy", "torch", "transformers", "pandas", "pyarrow", "matplotlib", "dvc", "networkx")


def test_an_unknown_task_names_those_there_are(project: Path) -> None:
    with pytest.raises(ParameterError, match=r"no task 'zzz' in params\.yaml\nknown: topic, form"):
        champion_model(project, "zzz")


def test_without_a_champion_it_says_what_makes_one(project: Path) -> None:
    with pytest.raises(ArtifactError, match="no champion yet\n`lianzi run`"):
        champion_model(project, "form")


@pytest.fixture
def champion(project: Path, ladder: Ladder) -> Path:
    """The project with a champion of `form`: a small classifier of places. Returns the folder of its bundle."""
    folder = project / "mlflow" / "artifacts" / "model"
    bundle = shutil.copytree(ladder.bundle, folder / "data" / "bundle")
    client = tracking.connect()
    client.create_registered_model("form")
    client.create_model_version("form", folder.as_uri())
    Registry().set_champion("form", 1)
    return Path(bundle)


def test_with_a_public_key_only_what_it_signed_answers(project: Path, champion: Path, tmp_path: Path) -> None:
    public = make_keys(tmp_path / "key")
    with pytest.raises(ArtifactError, match="not signed"):
        champion_model(project, "form", public)
    sign_bundle(champion, tmp_path / "key")
    assert champion_model(project, "form", public).predict(["ship wave"])[0].label == "sea"


def test_each_line_of_a_file_is_answered_in_its_place(project: Path, champion: Path) -> None:
    lines = ["ship wave", "", "street tower", "  ", *["wheat plough"] * 1500]
    (project / "texts.txt").write_text("\n".join(lines) + "\n")
    classifier = champion_model(project, "form")
    with lines_of_file("texts.txt") as texts:
        found = list(answers(classifier, texts, as_json=False, with_text=True))
    assert len(found) == len(lines)
    assert found[0].split("\t")[::2] == ["sea", "ship wave"]
    assert (found[1], found[3]) == ("", "")
    assert found[2].startswith("city\t")
    assert {line.split("\t")[0] for line in found[4:]} == {"field"}


def test_json_has_a_line_for_a_blank_text_too(project: Path, champion: Path) -> None:
    told = [json.loads(line) for line in answers(champion_model(project, "form"), ["ship wave", " "], True, True)]
    assert told[0]["label"] == "sea"
    assert told[0]["scores"].keys() == {"city", "field", "sea"}
    assert told[1] == {"text": " ", "label": None, "scores": {}}


def test_a_line_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_bytes(b"\xef\xbb\xbfone\r\nzwei \xfc\n")
    with lines_of_file(str(tmp_path / "texts.txt")) as lines:
        assert next(lines) == "one"
        with pytest.raises(DataError, match=r"texts.txt:2: not UTF-8: byte 0xfc at column 6\nconvert it first"):
            next(lines)


def test_an_empty_text_a_files_name_and_texts_beside_a_file_are_refused(here: Path) -> None:
    Path("rows.txt").write_text("a\n")
    with pytest.raises(ParameterError, match=r"rows\.txt is a file, not a text\nits lines: .* form --file rows\.txt"):
        check_texts_given("form", ["rows.txt"], None)
    with pytest.raises(ParameterError, match="only one of the two"):
        check_texts_given("form", ["a text"], "rows.txt")
    with pytest.raises(ParameterError, match="text 2 is empty\nlianzi predict form"):
        check_texts_given("form", ["a text", " "], None)
    with pytest.raises(ParameterError, match=r"--file row\.txt: no such file"):
        check_texts_given("form", [], "row.txt")
    with pytest.raises(ParameterError, match=r"--file \.: a folder\na file of UTF-8 text"):
        check_texts_given("form", [], ".")
    check_texts_given("form", ["a text", "mlflow", "\0", "a" * 5000], None)
    check_texts_given("form", [], "-")


def test_a_row_of_two_texts_is_asked_with_both(project: Path, champion: Path) -> None:
    found = champion_model(project, "form")
    pairs = replace(found, kind=replace(found.kind, pair=True))
    [told] = answers(pairs, texts_of_rows("form", pairs.kind.texts, ["ship", "wave"]), True, False)
    assert list(json.loads(told)) == ["text", "text_pair", "label", "scores"]
    with pytest.raises(
        ParameterError, match=r"1 given, and a row of form has text and text_pair\nlianzi predict form TEXT"
    ):
        texts_of_rows("form", pairs.kind.texts, ["ship"])
    assert texts_of_rows("quiz", ("text", "choices"), ["who?", "a", "b", "c"]) == [("who?", "a", "b", "c")]
    with pytest.raises(ParameterError, match=r"2 given, and a row of quiz has .*\nlianzi .* CHOICE CHOICE"):
        texts_of_rows("quiz", ("text", "choices"), ["who?", "a"])


def test_a_row_that_cannot_be_answered_is_named_by_its_line(project: Path, champion: Path) -> None:
    rows = [*["ship"] * 1100, " ", "\ud800"]
    with pytest.raises(DataError, match="row 1102: not valid Unicode"):
        list(answers(champion_model(project, "form"), rows, False, False))


def test_a_files_rows_have_a_column_for_each_text(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text('text,text_pair,choices\nship,wave,"[""a"", ""b""]"\n')
    with rows_of_file(str(rows), ("text", "text_pair")) as found:
        assert list(found) == [("ship", "wave")]
    with rows_of_file(str(rows), ("text", "choices")) as found:
        assert list(found) == [("ship", "a", "b")]
    with (
        rows_of_file(str(rows), ("text", "other")) as found,
        pytest.raises(DataError, match=r"rows\.csv:2: no 'other'"),
    ):
        list(found)


def test_a_text_is_answered_without_what_takes_seconds_to_import(project: Path, champion: Path) -> None:
    done, imported = command_imports(["predict", "form", "ship wave"], HEAVY)
    assert [line[:4] for line in done.stdout.splitlines()[:-1]] == ["sea\t"]
    assert imported == "[]"


def test_so_is_why_a_task_has_no_champion(project: Path) -> None:
    client = tracking.connect()
    client.create_registered_model("form")
    client.create_model_version("form", "nowhere", tags={"refused": "below counting words by 0.02"})
    done, imported = command_imports(["predict", "form", "ship wave"], (*HEAVY, "tokenizers"))
    assert "error: form: no champion; v1 was refused: below counting words by 0.02" in done.stderr
    assert (done.stdout.strip(), imported) == ("[]", "[]")
