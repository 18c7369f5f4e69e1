"""How far data moved, and against what."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from components.artifacts import write_json
from components.errors import ArtifactError, ParameterError
from components.validation.drift import accepted_name, drift_table, read_accepted, stability_index, statistics
from tests.small_tables import frame, stored

Database = duckdb.DuckDBPyConnection


def test_index_is_that_of_the_definition() -> None:
    # (0.6 - 0.5) ln(0.6 / 0.5) + (0.4 - 0.5) ln(0.4 / 0.5)
    assert stability_index({"a": 5, "b": 5}, {"a": 60, "b": 40}) == pytest.approx(0.040547, abs=1e-6)


def test_equal_shares_have_not_moved_and_a_new_bin_counts() -> None:
    assert stability_index({"a": 1, "b": 3}, {"a": 10, "b": 30}) == 0.0
    assert stability_index({"a": 100}, {"a": 90, "b": 10}) > 0.25


def test_statistics_count_lengths_by_powers_of_two_languages_and_sources(database: Database) -> None:
    found = statistics([stored(database, frame(characters=[0, 1, 64, 127, 128, None] * 5))])
    assert found["corpus"] == {
        "length": {"0": 5, "1": 5, "64": 10, "128": 5},
        "language": {"en": 15, "zh": 15},
        "source": {"doc": 30},
    }


def test_statistics_of_a_task_count_labels(database: Database) -> None:
    rows = frame(label=["a"] * 10 + ["b"] * 20)
    of_task = {"task": "t", "split": "train"}
    table = stored(database, rows, "t_train", **of_task, labels=("a", "b"))
    assert statistics([table])["t_train"]["label"] == {"a": 10, "b": 20}
    assert list(statistics([stored(database, rows, "t_numbers", **of_task)])["t_numbers"]) == ["length"]


def test_drift_names_what_moved_and_leaves_out_what_only_one_of_them_has(database: Database) -> None:
    accepted = {"corpus": {"language": {"en": 9, "zh": 1}, "mood": {"sad": 1}}, "gone": {"length": {"1": 1}}}
    now = {"corpus": {"language": {"en": 1, "zh": 1}, "length": {"1": 1}}, "new": {"length": {"1": 1}}}
    table = drift_table(database, accepted, now)
    [(name, text, index)] = database.execute("SELECT id, text, stability_index FROM drift").fetchall()
    assert (name, text, table.rows) == ("corpus/language", "en: 90.0% then, 50.0% now", 1)
    assert index == pytest.approx(0.878890, abs=1e-6)


def accept(folder: Path) -> Path:
    write_json(folder / "statistics.json", {"tables": {"corpus": {"length": {"64": 3}}}})
    content = (folder / "statistics.json").read_bytes()
    path = folder / accepted_name(content)
    path.write_bytes(content)
    return path


def test_accepted_statistics_are_read_back(tmp_path: Path) -> None:
    assert read_accepted(accept(tmp_path)) == {"corpus": {"length": {"64": 3}}}


def test_accepted_statistics_that_changed_are_refused(tmp_path: Path) -> None:
    path = accept(tmp_path)
    path.write_text(path.read_text().replace("3", "4"))
    with pytest.raises(ArtifactError, match="changed since it was accepted"):
        read_accepted(path)


def test_accepted_statistics_that_are_missing_are_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"validate.accepted: .*gone.json: no such file\n.*null"):
        read_accepted(tmp_path / "gone.json")
