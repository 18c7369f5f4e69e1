"""In a file of YAML a text is matched with its tag once, where ruamel.yaml does so at each place that has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ruamel.yaml import resolver
from ruamel.yaml.nodes import ScalarNode


class _OnceResolver(resolver.VersionedResolver):
    """ruamel.yaml's resolver, which is made for one document, with a memory."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        # Without a path, only the text, its quotes and the document's version decide.
        if kind is not ScalarNode or self.yaml_path_resolvers:
            return super().resolve(kind, value, implicit)
        known = self.__dict__.setdefault("_known", {})
        if (value, implicit) not in known:
            known[value, implicit] = super().resolve(kind, value, implicit)
        return known[value, implicit]


_RUAMELS_OWN = resolver.VersionedResolver


@contextmanager
def tagged_once() -> Iterator[None]:
    """In the block ruamel.yaml reads by a resolver with a memory. What it reads is the same."""
    resolver.VersionedResolver = _OnceResolver  # type: ignore[misc]
    try:
        yield
    finally:
        resolver.VersionedResolver = _RUAMELS_OWN  # type: ignore[misc]
