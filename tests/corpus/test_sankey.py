"""The picture of flows is well-formed and as high as what flows."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from components.corpus.sankey import sankey


def test_a_band_is_as_wide_as_its_share() -> None:
    drawn = sankey({("sea", "train"): 300, ("sea", "too_short"): 100, ("verse", "train"): 100}, ["train", "too_short"])
    root = ET.fromstring(drawn)
    widths = [float(path.attrib["stroke-width"]) for path in root.iter("path")]
    assert [round(width / min(widths)) for width in widths] == [3, 1, 1]
    labels = [text.text for text in root.iter("text")]
    assert labels == ["sea 400", "verse 100", "train 400", "too_short 100"]


def test_a_name_with_marks_of_markup_is_shown_as_it_is() -> None:
    root = ET.fromstring(sankey({("a<b>&", "train"): 1}, ["train"]))
    assert "a<b>& 1" in [text.text for text in root.iter("text")]


def test_what_has_no_rows_is_not_drawn() -> None:
    drawn = sankey({("sea", "train"): 5, ("sea", "empty"): 0}, ["train", "empty", "never"])
    assert not re.search("empty|never", drawn)
    assert ET.fromstring(sankey({}, ["train"])) is not None


def test_equal_counts_stand_in_the_order_of_their_names() -> None:
    flows = {(name, "train"): 4 for name in ("verse", "sea", "whale", "law", "city", "poem")}
    labels = [text.text for text in ET.fromstring(sankey(flows, ["train"])).iter("text")]
    assert labels[:6] == ["city 4", "law 4", "poem 4", "sea 4", "verse 4", "whale 4"]
