"""Parts of speech by Brill's rules (1992), from the files of a lexicon: the tags of the example `pos`.

A word has the tag that the lexicon knows for it; one that it does not know is a name if it has a capital, else a noun,
unless a suffix says otherwise. Rules of the neighbours then change tags. The tags given are those that languages share
(Petrov 2012).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SHARED = {
    "ADJ": ("JJ", "JJR", "JJS"),
    "ADP": ("IN",),
    "ADV": ("RB", "RBR", "RBS", "WRB"),
    "CONJ": ("CC",),
    "DET": ("DT", "PDT", "WDT", "EX"),
    "NAME": ("NNP", "NNPS"),
    "NOUN": ("NN", "NNS"),
    "NUM": ("CD",),
    "PRON": ("PRP", "PRP$", "WP", "WP$"),
    "PART": ("TO", "POS", "RP"),
    "VERB": ("MD", "VB", "VBD", "VBG", "VBN", "VBP", "VBZ"),
    ".": (".", ",", ":", "(", ")", '"', "``", "''"),
}
"""Tag -> those of the Penn Treebank that it stands for; any other is X. Names are told from nouns."""
_SHARED = {own: tag for tag, every in SHARED.items() for own in every}
START = "STAART"
_REACH = {
    "PREVTAG": (-1,),
    "NEXTTAG": (1,),
    "PREV2TAG": (-2,),
    "NEXT2TAG": (2,),
    "PREV1OR2TAG": (-1, -2),
    "NEXT1OR2TAG": (1, 2),
    "PREV1OR2OR3TAG": (-1, -2, -3),
    "NEXT1OR2OR3TAG": (1, 2, 3),
    "PREVWD": (-1,),
    "NEXTWD": (1,),
    "PREV1OR2WD": (-1, -2),
    "NEXT1OR2WD": (1, 2),
    "CURWD": (0,),
}
"""Rule -> at which of the neighbours its tag or word may stand. Rules of other names are left out."""


@dataclass(frozen=True)
class Rule:
    """A tag that becomes another where a neighbour has a tag, or is a word."""

    before: str
    after: str
    reach: tuple[int, ...]
    of_words: bool
    looked_for: str


@dataclass(frozen=True)
class Tagger:
    """A lexicon, suffixes of unknown words with the tag each gives, longest first, and rules in their order."""

    lexicon: dict[str, str]
    suffixes: list[tuple[str, str]]
    rules: list[Rule]

    @classmethod
    def read(cls, folder: Path) -> Tagger:
        """From `en-lexicon.txt`, `en-morphology.txt` and `en-context.txt`."""
        lexicon = {line[0]: line[1] for line in _lines(folder / "en-lexicon.txt") if len(line) > 1}
        morphology = _lines(folder / "en-morphology.txt")
        suffixes = {line[1]: line[4] for line in morphology if line[2:3] == ["fhassuf"] and line[0] == "NN"}
        suffixes |= {line[0]: line[3] for line in morphology if line[1:2] == ["hassuf"] and line[0].isalpha()}
        context = [line for line in _lines(folder / "en-context.txt") if len(line) == 4 and line[2] in _REACH]
        rules = [Rule(old, new, _REACH[name], name.endswith("WD"), value) for old, new, name, value in context]
        return cls(lexicon, sorted(suffixes.items(), key=lambda item: (-len(item[0]), item[0])), rules)

    def tags(self, words: Sequence[str]) -> list[str]:
        """A shared tag for each word of a sentence."""
        tags = [self._alone(word, first=number == 0) for number, word in enumerate(words)]
        for rule in self.rules:
            around = words if rule.of_words else tags
            for place, tag in enumerate(tags):
                seen = [around[at] if 0 <= at < len(tags) else START for at in (place + step for step in rule.reach)]
                if tag == rule.before and rule.looked_for in seen:
                    tags[place] = rule.after
        return [_SHARED.get(tag, "X") for tag in tags]

    def _alone(self, word: str, first: bool) -> str:
        known = self.lexicon.get(word) or (self.lexicon.get(word.lower()) if first else None)
        if known:
            return known
        if word[0].isdigit():
            return "CD"
        if word[0].isupper():
            return "NNP"
        if not word[0].isalpha():
            return self.lexicon.get(word, ".")
        return next((tag for suffix, tag in self.suffixes if word.endswith(suffix)), "NN")


def _lines(path: Path) -> list[list[str]]:
    """The words of each line that is no comment."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.split() for line in lines if line.strip() and not line.startswith(";;;")]
