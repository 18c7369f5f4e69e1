"""CoNLL-2003's named entities (Tjong Kim Sang 2003), with its own development and test rows."""

from __future__ import annotations

from typing import Any

from components.suites.formats import conll
from components.suites.scores import by_entities
from components.suites.suite import File, Part, Raw, Suite, SuiteTask
from components.tasks.token_classification import bio, entities_of


def tagged(raw: Raw) -> list[str]:
    """The tags in BIO: the published files begin an entity with `I-`, but for one right behind another of its type."""
    tags = list(raw["ner_tags"])
    return bio(entities_of(tags), len(tags))


def _tokens(raw: Raw) -> dict[str, Any]:
    return {"tokens": list(raw["tokens"])}


TASK = SuiteTask(
    name="conll2003",
    hub="eriktks/conll2003@refs/convert/parquet",
    config=None,
    folders=("conll2003", "CoNLL-2003", "conll03", "ner"),
    files={
        "train": (File("eng.train", conll), File("train.txt", conll)),
        "validation": (File("eng.testa", conll), File("valid.txt", conll)),
        "test": (File("eng.testb", conll), File("test.txt", conll)),
    },
    kind={"kind": "token_classification", "language": "en", "max_length": 192},
    inputs=_tokens,
    target=tagged,
    score=by_entities,
    parts=(Part("CoNLL-2003", "test"),),
    validation="validation",
)
CONLL2003 = Suite("conll2003", "CoNLL-2003", "https://www.clips.uantwerpen.be/conll2003/ner", (TASK,))
