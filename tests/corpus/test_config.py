"""components.corpus.config."""

from __future__ import annotations

from typing import Any

import pytest

from tests.small_params import checked, refused


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("curate.min_characters", 10**9, "curate: min_characters is larger than max_characters"),
        ("curate.word_lists", ["/etc/words"], "curate: word_lists: /etc/words is not a file under data/"),
        ("curate.languages", {"en": {"units": "word"}}, "curate.languages.en.unit: missing"),
        (
            "curate.languages.en.min_unit",
            3,
            "curate.languages.en.min_unit: unknown parameter\ndid you mean 'min_un",
        ),
        ("curate.scrub", ["names"], "curate.scrub.0: input should be 'email', 'phone', 'ip_address'"),
        (
            "corpus.moby_dick_en.language",
            3,
            "corpus.moby_dick_en.language: 3 is not a language: expected a code such as en",
        ),
        ("validate.length_quantiles", [[0.5, 9, 3]], "length_quantiles: [0.5, 9, 3]: not [0 to 1, least, most]"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(name: str, value: Any, told: str) -> None:
    assert told in refused({name: value})


@pytest.mark.parametrize(
    ("given", "language"),
    [
        ("eng_Latn", "en"),
        ("cmn_Hani", "zh"),
        ("und", "mixed"),
        ("mixed", "mixed"),
        (["English", "zho"], ["en", "zh"]),
        (["zh"], "zh"),
    ],
)
def test_a_sources_language_may_be_named_in_any_way(given: object, language: object) -> None:
    assert checked({"corpus.moby_dick_en.language": given}).corpus["moby_dick_en"].language == language
