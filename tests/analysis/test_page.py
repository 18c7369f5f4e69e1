"""components.analysis.page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.analysis.errors import confusions, cut, mistakes
from components.analysis.page import Told, as_sentence, cell_text, write_model_page
from components.analysis.subject import Analysis, Table
from tests.browser import open_browser
from tests.small_subjects import small_subject

TEXTS = ["wave", "street", "whale <b>", "lamp"]
SURE = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]])
GAIN = {"value": -0.02, "low": -0.04, "high": -0.01}
SCORES = {
    "macro_f1": 0.5,
    "macro_f1_low": 0.4,
    "macro_f1_high": 0.6,
    "accuracy": 0.25,
    "accuracy_low": 0.1,
    "accuracy_high": 0.4,
}


def evaluated() -> dict[str, Any]:
    """The metrics of `evaluate`, as far as they are read."""
    classes = {name: {"f1": f1, "support": 2} for name, f1 in (("sea", 0.5), ("city", 0.25))}
    return {
        "candidate": {**SCORES, "per_class": classes},
        "baseline": SCORES,
        "over_baseline": {"candidate": {"macro_f1": GAIN, "accuracy": GAIN}},
        "size_megabytes": {"candidate": 1.0, "baseline": 2.0},
        "test_rows": 4,
    }


def told(**changes: Any) -> Told:
    """A model that is wrong about three of four rows, with one analysis."""
    subject = small_subject(["sea", "city"], TEXTS, [1, 1, 0, 1], SURE.argmax(axis=1), SURE)
    wrong = mistakes(subject)
    worst = Analysis({}, ("Worst at long texts: 0.1 below the others.",), {"Slices": Table(("slice",), (("long",),))})
    made = {"max_length": 24, "parameters": 1000, "licences": {"diary": "MIT"}, "architecture": "bert"}
    rows = {"train": 9, "validation": 3, "test": 4}
    found = Told(subject, made, evaluated(), {"slices": worst}, wrong, confusions(subject, wrong), rows, ["# Sources"])
    return replace(found, **changes)


def test_a_page_says_what_the_model_is_for_how_good_it_is_and_where_it_fails(tmp_path: Path) -> None:
    pictures = write_model_page(tmp_path / "index.html", told())
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "reads English texts of at most 24 tokens and answers with one of 2 labels: <b>sea</b>, <b>city</b>" in page
    assert "right for 25% of 4 rows" in page
    assert "Its macro-F1 below counting words by 0.020" in page
    assert "<li>Worst at long texts: 0.1 below the others.</li>" in page
    assert "<b>city</b> taken for <b>sea</b>: 2 rows" in page
    assert "whale &lt;b&gt;" in page
    assert "<td>diary</td><td>MIT</td>" in page
    assert [*pictures] == ["F1 of each label"]
    assert "http" not in page.replace("http://www.w3.org", "")  # nothing is loaded from elsewhere


def test_a_model_without_errors_has_no_table_of_them(tmp_path: Path) -> None:
    write_model_page(tmp_path / "index.html", told(mistakes=[], confusions=[]))
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "Every one of 4 test rows is answered right." in page
    assert "<script>" not in page


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_model_page(tmp_path / name / "index.html", told())
    assert (tmp_path / "one/index.html").read_bytes() == (tmp_path / "other/index.html").read_bytes()


@pytest.mark.slow
def test_errors_are_filtered_in_a_browser_and_nothing_is_wider_than_a_phone(tmp_path: Path) -> None:
    many = [one for one in told().mistakes for _ in range(5)]
    write_model_page(tmp_path / "index.html", told(mistakes=many))
    with open_browser(width=500) as browser:
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {"width": 400, "height": 900, "deviceScaleFactor": 1, "mobile": True}
        )
        browser.get((tmp_path / "index.html").as_uri())
        shown = "return [...document.querySelectorAll('#errors tr:not([hidden])')].length - 1"
        assert browser.execute_script(shown) == 10
        browser.find_element("id", "all").click()
        assert browser.execute_script(shown) == 15
        browser.find_element("id", "word").send_keys("WHALE")
        assert browser.execute_script(shown) == 5
        assert browser.execute_script("return document.documentElement.scrollWidth") == 400


def test_a_sentence_has_a_capital_and_a_full_stop() -> None:
    told = ("worse where long", "a probability.", "nDCG@10 0.5", "Worse.")
    assert [*map(as_sentence, told)] == ["Worse where long.", "A probability.", "nDCG@10 0.5.", "Worse."]


def test_cells_and_texts_are_short() -> None:
    assert [cell_text(cell) for cell in ("a", 1234, 0.12345)] == ["a", "1,234", "0.123"]
    assert cut("one\ntwo three", 8) == "one two…"
