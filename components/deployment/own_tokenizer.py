"""Does a folder's tokenizer.json give the ids that its own library gives? transformers changes tokenizers as it loads
them: by the class and the flags of tokenizer_config.json, and by tokens that were added later."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from components.errors import ArtifactError, first_line

if TYPE_CHECKING:
    from components.deployment.source import Source

PROBES = (
    "A Small test, of 3 WORDS.",
    "  two  spaces\tand\na line ",
    "naïve café, 東京 的 月亮",
    "don't <b>&amp;</b> 😀",
)
"""Where tokenizers differ: case, spaces, accents, Chinese, apostrophes, marks."""

LONGEST = 2000
"""Characters of a text that are compared."""


def own_tokenizer(source: Source) -> Any:
    """The tokenizer as transformers loads it, with the lower case that a sentence encoder asks for.

    Raises ArtifactError where transformers cannot load it.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(source.folder, trust_remote_code=False, local_files_only=True)
        backend = tokenizer.backend_tokenizer
    except Exception as error:  # transformers and the Rust library raise whatever they like
        raise ArtifactError(
            f"{source.folder}: transformers cannot load the tokenizer: {first_line(error)}",
            "AutoTokenizer.from_pretrained(folder) has to work with it",
        ) from None
    if source.modules.lowercase:
        backend.normalizer = lowercased(backend.normalizer)
    return tokenizer


def lowercased(normalizer: Any) -> Any:
    """Lower case before whatever else a tokenizer does to a text, as sentence-transformers puts it."""
    from tokenizers.normalizers import Lowercase, Sequence

    return Lowercase() if normalizer is None else Sequence([Lowercase(), normalizer])


def check_tokenizer(source: Source, texts: Iterable[str]) -> None:
    """Raises ArtifactError where tokenizer.json gives another text's ids than transformers, or ids the model lacks."""
    written = source.tokenizer
    if (largest := max(written.get_vocab(with_added_tokens=True).values(), default=0)) >= source.rows:
        token = written.id_to_token(largest)
        raise ArtifactError(
            f"{source.folder}: the tokenizer has the token {token!r:.40} with the id {largest}, the model's embeddings "
            f"end at {source.rows - 1}",
            "model.resize_token_embeddings(len(tokenizer)) adds rows, which then have to be trained",
        )
    own = own_tokenizer(source)
    for text in (*PROBES, *texts):
        shown = text[:LONGEST]
        expected, found = own(shown)["input_ids"], written.encode(shown).ids
        if list(expected) != list(found):
            raise ArtifactError(
                f"{source.folder}: tokenizer.json gives {_shown(found)} for {shown!r:.40}, transformers' "
                f"{type(own).__name__} gives {_shown(expected)}",
                "AutoTokenizer.from_pretrained(folder).save_pretrained(folder) writes the one that transformers uses",
            )


def _shown(ids: Iterable[int]) -> str:
    first = list(ids)[:12]
    return " ".join(map(str, first)) or "nothing"
