"""Parameters of the tokenizer and of tokenization."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from components.sections import Count, Section


class TrainTokenizerConfig(Section):
    """kind: how it is learnt; vocab_size counts the special tokens too.

    from: an existing tokenizer to take instead, a local folder or a hub name; kind and vocab_size say nothing then.
    extend: at most so many tokens that it gains from the corpus, of `min_frequency`, for a language that it lacks.
    special_tokens: beside [PAD], [CLS], [SEP] and [MASK].
    """

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    kind: Literal["byte_bpe", "unigram", "wordpiece"]
    vocab_size: Annotated[int, Field(ge=300, le=1_000_000)]
    min_frequency: Count
    imported: str | None = Field(alias="from")  # `from` is a word of Python's own
    extend: Annotated[int, Field(ge=0, le=100_000)]
    special_tokens: list[str]
    chat_template: Literal["chatml"] | None

    @field_validator("special_tokens")
    @classmethod
    def _marked(cls, tokens: list[str]) -> list[str]:
        """Names in brackets: no pre-tokenizer keeps them whole, so that plain text never becomes a special token."""
        for token in tokens:
            if not re.fullmatch(r"<\|?/?\w+\|?>|\[/?\w+\]", token):
                raise ValueError(f"'{token}' has not the form <name>, <|name|> or [NAME]")
        if len({*tokens}) < len(tokens):
            raise ValueError("a token occurs twice")
        return tokens

    @model_validator(mode="after")
    def _something_to_extend(self) -> TrainTokenizerConfig:
        if self.extend and self.imported is None:
            raise ValueError("extend: adds to a tokenizer that `from` names, which is null: raise vocab_size instead")
        return self


class TokenizeConfig(Section):
    """shard_tokens: the largest number of tokens in a file."""

    shard_tokens: Annotated[int, Field(ge=1024)]
