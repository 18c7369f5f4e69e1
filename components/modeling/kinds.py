"""The table of architectures that params.yaml chooses from. A name is a file, imported when it is asked for.

No stage depends on this table but on the files of the names that are chosen, which dvc.yaml interpolates: a new line
here makes nothing stale.
"""

from __future__ import annotations

from typing import Literal, get_args

ArchitectureName = Literal[
    "modernbert",
    "bert",
    "roberta",
    "electra",
    "xlnet",
    "gpt2",
    "llama",
    "qwen2",
    "qwen3",
    "glm",
    "t5",
    "bart",
    "xlm_roberta",
    "distilbert",
    "mpnet",
]
"""architectures/NAME.py: model types of transformers under the names that its modules have, `-` being `_`."""
ARCHITECTURES: tuple[ArchitectureName, ...] = get_args(ArchitectureName)
CHECKPOINTS_ALONE: tuple[ArchitectureName, ...] = ("xlm_roberta", "distilbert", "mpnet")
FROM_SCRATCH = tuple(name for name in ARCHITECTURES if name not in CHECKPOINTS_ALONE)
"""Those that can be made with random weights; the others come as checkpoints alone."""

ENCODER_DECODERS: tuple[ArchitectureName, ...] = ("t5", "bart")
"""Those that read a text and write another."""
ONE_STACK: tuple[ArchitectureName, ...] = tuple(name for name in ARCHITECTURES if name not in ENCODER_DECODERS)
"""The others."""

GENERATIVE: tuple[ArchitectureName, ...] = ("gpt2", "llama", "qwen2", "qwen3", "glm")
"""Those that carry a text on; the others read it in both directions."""

FIXED_WIDTH: tuple[ArchitectureName, ...] = ("xlnet",)
"""Those of FROM_SCRATCH that cannot be made narrower."""

INDEPENDENT_HEADS: tuple[ArchitectureName, ...] = ("llama", "qwen2", "qwen3", "glm")
"""Those whose number of heads is independent of the width."""

WHOLE_HEADS: tuple[ArchitectureName, ...] = ("xlnet", "mpnet", *ENCODER_DECODERS)
"""Those of whose heads no table says where queries, keys and values are: none can be taken away, or imitated."""

SAME = "same"
"""In place of an architecture: the student's is its teacher's."""

CARRIES_ON = "causal_lm"
"""The head of decoders, which carry a text on."""
WRITES = "seq2seq_lm"
"""The head of encoder-decoders, which read a text and write another."""
GENERATES = (CARRIES_ON, WRITES)
"""The heads of models that are run token by token; the others read a text in one pass."""

CARRIERS = {CARRIES_ON: GENERATIVE, WRITES: ENCODER_DECODERS}
"""Head -> the architectures that carry it, where not all do."""
CANNOT: dict[str | None, str] = {CARRIES_ON: "generate", WRITES: "write another text"}
"""Head -> what other architectures cannot do."""
