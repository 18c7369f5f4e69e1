"""The data docs need no network, link to every page, and stay light however many results there are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
import great_expectations as gx
import great_expectations.expectations as gxe

from components.validation.expect import hold
from components.validation.pages import PAGE_RESULTS, clear_pages, light, page_name, write_index, write_pages
from tests.small_tables import frame, stored


@dataclass
class Outcome:
    success: bool


def many(database: duckdb.DuckDBPyConnection, docs: Path, count: int) -> None:
    """Write the pages of a suite whose last expectation alone does not hold."""
    bounds = [-1] * (count - 1) + [12]
    suite = gx.ExpectationSuite(
        name="corpus",
        expectations=[
            gxe.ExpectColumnValuesToBeBetween(column="line", min_value=bound, max_value=100 + number)
            for number, bound in enumerate(bounds)
        ],
    )
    outcome = hold(stored(database, frame()), suite)
    write_pages(docs, suite, outcome)
    write_index(docs, {"corpus": [Outcome(bool(one.success)) for one in outcome.results]})


def test_index_tells_each_suite_and_links_to_its_pages(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    many(database, tmp_path, 2)
    index = (tmp_path / "index.html").read_text()
    assert "Data validation: failed" in index
    assert "1 of 2" in index
    assert 'href="validations/corpus.html"' in index
    assert 'href="expectations/corpus.html"' in index


def test_a_result_tells_what_was_expected_and_how_many_rows_broke_it(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    many(database, tmp_path, 1)
    page = (tmp_path / "validations" / "corpus.html").read_text()
    assert "greater than or equal to" in page
    assert "12 unexpected values found. 40% of 30 total rows" in page


def test_no_page_asks_a_network_for_anything(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    many(database, tmp_path, 2)
    pages = [path.read_text() for path in tmp_path.rglob("*.html")]
    assert len(pages) == 3
    assert not any(mark in page for page in pages for mark in ("http", "<script", "<img", "<link"))


def test_many_results_are_spread_over_pages_those_that_do_not_hold_first(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    many(database, tmp_path, PAGE_RESULTS + 1)
    first, second = ((tmp_path / "validations" / page_name("corpus", number)).read_text() for number in (1, 2))
    assert "unexpected values found" in first
    assert "unexpected values found" not in second
    assert 'href="validations/corpus-2.html"' in (tmp_path / "index.html").read_text()
    assert len(first) < 1_000_000


def test_scripts_styles_and_pictures_of_networks_are_taken_out() -> None:
    page = (
        '<head><link rel="x" href="https://a/b.css">\n   <script src="https://a/b.js"></script></head>  \n  <p>kept</p>'
    )
    assert light(page).endswith("</head>\n<p>kept</p>")
    assert "https" not in light(page)


def test_pages_of_an_earlier_run_are_taken_away_and_other_files_stay(tmp_path: Path) -> None:
    for name in ("validations/old.html", "static/old.css", "mine.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    clear_pages(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
