"""A corpus of two sources and a task, small enough to curate in a second."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from components.corpus.config import CurateConfig, SourceConfig
from components.params import Params, check_params, read_yaml
from components.tasks.config import TaskConfig

PARAMS = Path(__file__).parents[2] / "params.yaml"
TASKS = {"colour": TaskConfig(kind="classification", language="en", max_length=16)}
SOURCES = {
    "sea_en": SourceConfig(weight=1.0, language="en", licence="CC0-1.0"),
    "verse_zh": SourceConfig(weight=1.0, language="zh", licence="MIT"),
}
SIGNS = "春夏秋冬山水風月雲雨雪花草木鳥魚人天地日星江河湖海城門樓臺舟車馬牛羊田園竹梅松柏酒詩琴棋書畫夢夜晨昏東西南北"
WORDS = [
    *("harbour", "whale", "captain", "sailor", "storm", "anchor", "lantern", "voyage", "island", "market", "bridge"),
    *("tower", "garden", "orchard", "mountain", "river", "letter", "soldier", "doctor", "teacher", "painter", "winter"),
    *("summer", "silver", "copper", "marble", "window", "kitchen", "library", "railway", "engine"),
]


def curate_config(**changes: Any) -> CurateConfig:
    """That of params.yaml, a fifth of the documents for validation."""
    params: Params = check_params(read_yaml(PARAMS), "params.yaml")
    return params.curate.model_copy(update={"validation_fraction": 0.2, "min_characters": 10, **changes})


def documents(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """English sentences, no two nearly alike."""
    generator = np.random.default_rng(seed)
    texts = [", the ".join(generator.choice(WORDS, 16)) for _ in range(count)]
    return [{"id": f"d{number}", "text": f"This is about the {text}."} for number, text in enumerate(texts)]


def poems(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Lines of seven Chinese characters, four of them."""
    generator = np.random.default_rng(seed)
    texts = ["".join("".join(generator.choice(list(SIGNS), 7)) + end for end in "，。，。") for _ in range(count)]
    return [{"id": f"p{number}", "text": text} for number, text in enumerate(texts)]


def write(path: Path, content: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content), encoding="utf-8")


def small_data(folder: Path) -> Path:
    """data/ with the sources sea_en and verse_zh and the task colour."""
    write(folder / "corpus" / "sea_en.jsonl", documents(60))
    write(folder / "corpus" / "verse_zh.jsonl", poems(40))
    rows = [{"text": "a row about the colour red", "label": "a"}, {"text": "a row about blue", "label": "b"}]
    write(folder / "tasks" / "colour" / "train.jsonl", rows)
    held_out = {"validation": "a row of the task that validates it", "test": "another row of the task that tests it"}
    for split, text in held_out.items():
        write(folder / "tasks" / "colour" / f"{split}.jsonl", [{"text": text, "label": "a"}])
    return folder
