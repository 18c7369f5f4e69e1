"""flows.tagged_once: what is read is the same."""

from __future__ import annotations

from typing import Any

import pytest
from dvc.utils.serialize._yaml import parse_yaml
from ruamel.yaml import resolver
from ruamel.yaml.error import YAMLError

from flows.tagged_once import tagged_once

TEXTS = (
    "[yes, 'yes', no, ~, null, '', true, 'true', true, 1, '1', 1, 1_0, 0o17, 017, 0x1f, 1e3, 1.5e3, .5, .inf, 1e9999]",
    "md5: 1234567e890\nsame: '1234567e890'\nagain: 1234567e890\nb: \"1\"\nc: 1\n",
    "d: 2026-11-29\ne: '2026-11-29'\nf: 2026-11-29T20:00:00Z\n",
    "%YAML 1.1\n---\n[yes, yes, 'yes', 017, 0o17]\n",
    "base: &base {a: 1}\nother: {<<: *base, '<<x': 2}\n1: 1\n'1': 1\n",
    "!!str 1: !!str 1\nx: 1\ny: !!int '1'\nz: '1'\n",
    "",
)


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_means_the_same(text: str) -> None:
    own = parse_yaml(text, "a.yaml")
    with tagged_once():
        assert repr(parse_yaml(text, "a.yaml")) == repr(own)


def test_a_mistake_is_one_still_and_the_resolver_is_ruamels_own_again() -> None:
    own = resolver.VersionedResolver
    with tagged_once(), pytest.raises(Exception, match="unable to read") as raised:
        parse_yaml("a: 1\na: 1\n", "a.yaml")
    assert isinstance(raised.value.__cause__, YAMLError)
    assert resolver.VersionedResolver is own


def test_a_text_is_matched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    matched: list[str] = []
    own = resolver.VersionedResolver.resolve

    def resolve(self: Any, kind: Any, value: Any, implicit: Any) -> Any:
        matched.append(value)
        return own(self, kind, value, implicit)

    monkeypatch.setattr(resolver.VersionedResolver, "resolve", resolve)
    with tagged_once():
        assert parse_yaml("[10, 10, '10', 10]", "a.yaml") == [10, 10, "10", 10]
    assert matched.count("10") == 2
