"""The first page of the data docs needs no network and links to every suite."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from components.validation.pages import finish_pages


@dataclass
class Outcome:
    success: bool


def test_index_tells_each_suite_and_links_to_its_pages(tmp_path: Path) -> None:
    for page in ("expectations/corpus.html", "validations/corpus/run/corpus-rows.html"):
        (tmp_path / page).parent.mkdir(parents=True)
        (tmp_path / page).write_text("<html></html>")
    finish_pages(tmp_path, {"corpus": [Outcome(True), Outcome(False)]})
    index = (tmp_path / "index.html").read_text()
    assert "Data validation: failed" in index
    assert "1 of 2" in index
    assert 'href="validations/corpus/run/corpus-rows.html"' in index
    assert 'href="expectations/corpus.html"' in index
    assert "http" not in index


def test_picture_of_the_counting_server_is_taken_from_the_pages_own_folder(tmp_path: Path) -> None:
    page = tmp_path / "validations" / "corpus" / "rows.html"
    page.parent.mkdir(parents=True)
    server = "https://great-expectations-web-assets.s3.us-east-2.amazonaws.com"
    page.write_text(f'<img src="{server}/logo-long.png?d=2026&dataContextId=afee">')
    finish_pages(tmp_path, {})
    assert page.read_text() == '<img src="../../static/images/logo-long.png">'
