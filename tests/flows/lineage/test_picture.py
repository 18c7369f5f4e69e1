"""A lineage is drawn."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from flows.lineage.picture import svg, write_picture
from flows.lineage.told import lineage_of
from tests.small_lineage import start_of


def test_the_picture_is_whole_without_a_network(run_id: str, tmp_path: Path) -> None:
    graph, key = start_of(tmp_path, "colour@1")
    own = lineage_of(graph, key)
    drawn = ElementTree.fromstring(svg(own, key))
    assert {"artifacts/tasks/colour", "colour@1 (champion)"} <= {one.text for one in drawn.iter() if one.text}
    boxes = list(drawn.iter("{http://www.w3.org/2000/svg}g"))
    assert len(boxes) == len(own.nodes)
    write_picture(tmp_path / "lineage.html", own, key)
    page = (tmp_path / "lineage.html").read_text(encoding="utf-8")
    assert "http://www.w3.org/2000/svg" in page
    assert not [word for word in ("<script", "<link", "src=", "href=") if word in page]
