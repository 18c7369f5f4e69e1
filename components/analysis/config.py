"""Parameters of `analyze`: a section an analysis, by the name of its module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from string import Formatter
from typing import Annotated, Literal

from pydantic import Field, model_validator

from components.sections import BootstrapConfig, Count, Fraction, Section, Share

PerturbationName = Literal[
    "typos",
    "lower_case",
    "upper_case",
    "no_punctuation",
    "more_punctuation",
    "full_width",
    "traditional",
    "simplified",
    "contractions",
    "link",
]
POLAR_TESTS = ("negation", "praise added", "complaint added")
"""Those that polar labels bring."""
MOST_CASES = 1000
"""Of one test of behaviour."""
LANGUAGES = ("en", "zh")
TAKEN = ("worst", "worst_gap")
"""What the metrics of fairness hold beside its categories."""
MOST_WORDS = 100
"""Of a group: every row is answered with every word."""


def _fault_of(groups: Mapping[str, Sequence[str]]) -> str | None:
    """What keeps groups of words from being compared, if anything."""
    where: dict[str, str] = {}
    for group, words in groups.items():
        if not words or not all(word.strip() for word in words):
            return f"{group}: {'a word is empty' if words else 'no words'}: write some, or remove the group"
        if len(words) > MOST_WORDS:
            return (
                f"{group}: {len(words):,} words, at most {MOST_WORDS}: every row is answered with each, so shorten it"
            )
        for word in words:
            # A small letter stands for a capital too, at the beginning of a sentence.
            other = where.setdefault(f"{word[:1].lower()}{word[1:]}", group)
            if other != group:
                return f"{group}: {word!r:.60} is in {other} too: a word tells whom a text is about, so take one out"
    return None


class BehaviourTest(Section):
    """A test of CheckList (Ribeiro et al. 2020): the templates `before` and `after`, with every combination of the
    words of `fill` in the place of {NAME}. expect: the answer is the `same`, or `label` is no less likely (`up`) or no
    more likely (`down`) after than before."""

    name: Annotated[str, Field(min_length=1)]
    task: str
    before: Annotated[str, Field(min_length=1)]
    after: Annotated[str, Field(min_length=1)]
    fill: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(default_factory=dict)
    expect: Literal["same", "up", "down"]
    label: str | None = None

    @model_validator(mode="after")
    def _can_be_filled(self) -> BehaviourTest:
        try:
            fields = [field[1:] for text in (self.before, self.after) for field in Formatter().parse(text)]
        except ValueError as error:
            raise ValueError(f"{self.name}: no template: {error}") from None
        names = {name for name, _, _ in fields if name is not None}
        if unknown := sorted(names - self.fill.keys()):
            raise ValueError(f"{self.name}: nothing fills {{{unknown[0]}}}: add it to fill")
        if formatted := [name for name, form, conversion in fields if form or conversion]:
            raise ValueError(f"{self.name}: {{{formatted[0]}}} stands with a format: write the name alone")
        # Its words would multiply equal cases, and narrow the interval.
        if unused := sorted(self.fill.keys() - names):
            raise ValueError(f"{self.name}: no template has {{{unused[0]}}}: remove it from fill")
        if (count := prod(map(len, self.fill.values()))) > MOST_CASES:
            raise ValueError(f"{self.name}: {count:,} cases, at most {MOST_CASES:,}: shorten a list of fill")
        if self.expect != "same" and self.label is None:
            raise ValueError(f"{self.name}: expect: {self.expect} needs the label whose probability is looked at")
        return self


class PolarLabels(Section):
    """Two labels of opposite meaning."""

    negative: str
    positive: str


class RobustnessConfig(Section):
    """perturbations: of `rows` test rows, or of `written_rows` whose answers are written token by token; polar_labels:
    of tasks that are asked whether a text is for or against something; tests: of one's own."""

    rows: Count
    written_rows: Count
    perturbations: list[PerturbationName]
    polar_labels: list[PolarLabels]
    tests: list[BehaviourTest]

    @model_validator(mode="after")
    def _named_apart(self) -> RobustnessConfig:
        """Metrics go by the names of the tests."""
        taken = {(test.task, name) for test in self.tests for name in POLAR_TESTS if self.polar_labels}
        for test in self.tests:
            if (test.task, test.name) in taken:
                raise ValueError(f"two tests of {test.task} are called {test.name}: rename one")
            taken.add((test.task, test.name))
        return self


class SlicesConfig(Section):
    """columns: of the data files, beside length and label; a task without them has no such slices. pairs: at most so
    many slices by two columns at once. min_rows: inside a slice and outside of it, else it is left out."""

    columns: list[str]
    pairs: Annotated[int, Field(ge=0, le=1000)]
    min_rows: Annotated[int, Field(ge=2)]


class CalibrationConfig(Section):
    """bins: of equally many rows each."""

    bins: Annotated[int, Field(ge=2)]


class SelectiveConfig(Section):
    """risk: the share of wrong answers among those given, for which a confidence is chosen."""

    risk: Share


class BatchesConfig(Section):
    """rows: at most so many are answered in each way."""

    rows: Count


class FairnessConfig(Section):
    """rows: at most so many test rows that mention a name; likewise a place, or a woman or a man. groups: of one's own,
    language -> category -> group -> its words. A category of the name of one that is shipped takes its place; without
    groups it is left out."""

    rows: Count
    groups: dict[str, dict[str, dict[str, list[str]]]]

    @model_validator(mode="after")
    def _can_be_compared(self) -> FairnessConfig:
        for language, categories in self.groups.items():
            if language not in LANGUAGES:
                raise ValueError(f"groups.{language}: texts of tasks are in {' or '.join(LANGUAGES)}")
            for name, groups in categories.items():
                where = f"groups.{language}.{name}"
                if name in TAKEN:
                    raise ValueError(f"{where}: not a name for a category: metrics are called so, rename it")
                if len(groups) == 1:
                    raise ValueError(f"{where}: {next(iter(groups))} alone: add a group that it is compared with")
                if told := _fault_of(groups):
                    raise ValueError(f"{where}.{told}")
        return self


class ExplanationsConfig(Section):
    """rows: at most so many that are shown, three of four of them errors; steps of the integral from an empty text to
    the row; tolerance: how far off the difference of the outputs the attributions may be, as a share of their sizes
    together."""

    rows: Annotated[int, Field(ge=1, le=12)]
    steps: Annotated[int, Field(ge=8)]
    tolerance: Fraction


class MemorisationConfig(Section):
    """rows: training rows, and as many test rows, that have a prompt of `prompt_tokens` and are to be carried on for
    `continuation_tokens`."""

    rows: Count
    prompt_tokens: Count
    continuation_tokens: Count


class LeakageConfig(Section):
    """documents: at most so many of the corpus are searched; min_overlap: share of the n-grams of a test row that a
    document or a training row must have."""

    documents: Count
    min_overlap: Annotated[float, Field(gt=0, le=1)]


class AnalyzeConfig(BootstrapConfig):
    """Of every analysis; intervals as those of `evaluate`."""

    slices: SlicesConfig
    calibration: CalibrationConfig
    selective: SelectiveConfig
    batches: BatchesConfig
    robustness: RobustnessConfig
    fairness: FairnessConfig
    explanations: ExplanationsConfig
    memorisation: MemorisationConfig
    leakage: LeakageConfig
