"""The file of a sweep: which parameters, within which ranges, judged by which metric."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from components.artifacts import is_plain_name
from components.errors import ParameterError
from components.sections import Count, Section

Choice = bool | int | float | str | None


class FloatRange(Section):
    """low to high, both included; log: drawn evenly over the logarithm."""

    type: Literal["float"]
    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> FloatRange:
        _check_range(self.low, self.high, self.log)
        return self

    def ends(self) -> list[Choice]:
        return [self.low, self.high]

    def holds(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high


class IntRange(Section):
    """low to high, both included; log: drawn evenly over the logarithm."""

    type: Literal["int"]
    low: int
    high: int
    log: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> IntRange:
        _check_range(self.low, self.high, self.log)
        return self

    def ends(self) -> list[Choice]:
        return [self.low, self.high]

    def holds(self, value: object) -> bool:
        return isinstance(value, int) and self.low <= value <= self.high


class Choices(Section):
    type: Literal["choice"]
    values: Annotated[list[Choice], Field(min_length=2)]

    def ends(self) -> list[Choice]:
        return self.values

    def holds(self, value: object) -> bool:
        return value in self.values


Range = Annotated[FloatRange | IntRange | Choices, Field(discriminator="type")]


class Objective(Section):
    """file: a metrics file of dvc.yaml; metric: a dotted name inside it."""

    file: str
    metric: str
    direction: Literal["maximize", "minimize"]


class Pruner(Section):
    """Stop a trial that is below the median of the earlier ones at the same step (Golovin et al. 2017).

    curve: the metric of the training's curve in MLflow; trials: how many run whole before any is stopped; step: no
    trial is stopped before it.
    """

    curve: str
    trials: Count
    step: Annotated[int, Field(ge=0)]


class SweepFile(Section):
    """trials: how many in all; parallel: how many at a time; seed: of the sampler (TPE, Bergstra et al. 2011)."""

    objective: Objective
    parameters: Annotated[dict[str, Range], Field(min_length=1)]
    trials: Count
    seed: Annotated[int, Field(ge=0)]
    parallel: Count = 1
    pruner: Pruner | None = None

    @field_validator("parameters")
    @classmethod
    def _apart(cls, parameters: dict[str, Range]) -> dict[str, Range]:
        for name in parameters:
            inside = next((other for other in parameters if other.startswith(f"{name}.")), None)
            if inside:
                raise ValueError(f"{inside} is inside {name}: search for one of them")
        return parameters


def _check_range(low: float, high: float, log: bool) -> None:
    if low >= high:
        raise ValueError(f"low {low} is not below high {high}")
    if log and low <= 0:
        raise ValueError(f"low {low}: a logarithmic range begins above 0")


class LocatedFile:
    """A sweep file and the line of each of its entries."""

    def __init__(self, path: Path) -> None:
        """Raises ParameterError with the line where the file is no sweep's."""
        from ruamel.yaml import YAML, YAMLError

        self.path = path
        if not is_plain_name(path.stem):
            raise ParameterError(f"{path}: its name names the sweep: letters, digits, `_` and `-`")
        try:
            self.content: Any = YAML().load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            raise ParameterError(f"{path}: no such file", "docs/sweeps.md has one") from None
        except YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f":{mark.line + 1}" if mark is not None else ""
            raise ParameterError(f"{path}{where}: not YAML: {getattr(error, 'problem', error)}") from None
        try:
            self.spec = SweepFile.model_validate(_plain(self.content))
        except ValidationError as error:
            # An unknown entry explains the missing one.
            first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
            keys = [key for key in first["loc"] if key not in ("float", "int", "choice")]
            raise self.refused(keys, _sentence(first)) from None

    @property
    def name(self) -> str:
        return self.path.stem

    def refused(self, keys: list[Any], told: str, hint: str = "") -> ParameterError:
        """The error of an entry: file, line, name."""
        named = ".".join(map(str, keys))
        return ParameterError(f"{self.path}:{self._line(keys)}: {f'{named}: ' if named else ''}{told}", hint)

    def _line(self, keys: list[Any]) -> int:
        line, at = 0, self.content
        for key in keys:
            try:
                position = at.lc.key(key) if hasattr(at, "keys") else at.lc.item(key)
                line, at = position[0], at[key]
            except (AttributeError, KeyError, IndexError, TypeError):
                break
        return int(line) + 1


def _plain(content: Any) -> Any:
    """Without ruamel's own classes, of which a strict model takes none."""
    if hasattr(content, "items"):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_plain(value) for value in content]
    for kind in (bool, int, float, str):
        if isinstance(content, kind):
            return kind(content)
    return content


def _sentence(error: Any) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        return "unknown entry"
    if error["type"] == "missing":
        return "missing"
    return message[0].lower() + message[1:]
