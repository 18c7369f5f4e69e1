"""The pages of docs/ lead to pages that exist, and name what there is to choose from."""

from __future__ import annotations

import re
import shlex
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from cli.example import examples
from cli.main import COMMANDS
from components.evaluation.baselines.table import FURTHER
from components.modeling.config import OBJECTIVES
from components.modeling.kinds import ARCHITECTURES
from components.tasks.kinds import KINDS
from components.training.config import ADAPTERS
from flows.settings import change_params

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([*ROOT.glob("README*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/README.md")])


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What links may name behind a `#`, as GitHub makes it of headings."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = []
    for target in re.findall(r"\]\(((?!https?:)[^)\s]+)\)", prose(page)):
        path, _, anchor = target.partition("#")
        there = page.parent / path if path else page
        on_page = there.suffix != ".md" or not anchor or anchor in anchors(there)
        if not there.exists() or not on_page:
            dead.append(target)
    assert dead == []


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("docs/tasks.md", [*KINDS, *examples()]),
        ("docs/objectives.md", OBJECTIVES),
        ("docs/adaptation.md", ADAPTERS),
        ("docs/evaluation.md", FURTHER),
    ],
)
def test_a_page_names_all_that_there_is(page: str, names: list[str]) -> None:
    words = set(re.findall(r"[\w-]+", (ROOT / page).read_text(encoding="utf-8")))
    assert [name for name in names if name not in words] == []


def test_the_comment_in_params_names_every_architecture() -> None:
    line = re.search(r"^  architecture: .*$", (ROOT / "params.yaml").read_text(encoding="utf-8"), re.MULTILINE)
    assert line is not None
    assert [name for name in ARCHITECTURES if name not in re.findall(r"\w+", line[0])] == []


def test_every_command_stands_on_some_page() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [name for name in COMMANDS if f"lianzi {name}" not in text] == []


@pytest.mark.parametrize("page", [page for page in PAGES if "--set " in page.read_text(encoding="utf-8")])
def test_settings_that_a_page_shows_are_accepted_one_after_another(page: Path, tmp_path: Path) -> None:
    params = Path(shutil.copy(ROOT / "params.yaml", tmp_path))
    for command in re.findall(r"lianzi (?:run|plan) (--set [^\n`#]+)", page.read_text(encoding="utf-8")):
        words = shlex.split(command)
        assert change_params(params, tuple(value for option, value in pairwise(words) if option == "--set"))
