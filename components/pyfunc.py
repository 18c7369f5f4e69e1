"""A bundle as a model of MLflow's python functions: what a registered version is loaded as, wherever it is served."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.errors import DataError

if TYPE_CHECKING:
    from pandas import DataFrame

SENTENCES = ("The whale is the largest animal that has ever lived.", "[E1] Accra [/E1] is in [E2] Ghana [/E2].")
"""The input example of a model is the first that its task does not refuse: that of relations has both spans marked."""
GENERATED = 64
"""Tokens of an answer that a model which generates gives through MLflow, whose callers name none."""


class PyfuncModel:
    """A bundle behind the interface of MLflow's python function models. `answer`: texts -> a row of the frame each;
    `texts`: their columns."""

    def __init__(self, answer: Callable[[Any], list[dict[str, Any]]], texts: Sequence[str] = ("text",)) -> None:
        self.answer, self.texts = answer, texts

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> DataFrame:
        """A frame with columns `label` and `score`, `number` or `completion`, for a frame with a column `text` or a
        list of texts.

        Raises MlflowException for anything else: the one error that `mlflow models serve` answers with 400 and what it
        says, instead of with the stack that led there.
        """
        from mlflow.exceptions import MlflowException
        from mlflow.protos.databricks_pb2 import BAD_REQUEST
        from pandas import DataFrame

        try:
            return DataFrame(self.answer(_rows(model_input, self.texts)))
        except DataError as error:
            raise MlflowException(str(error), error_code=BAD_REQUEST) from None


def _load_pyfunc(path: str) -> PyfuncModel:
    """What MLflow calls on the module named as `loader_module`; `path` is the bundle's folder."""
    from components.runtime.bundle import check_texts, load_bundle
    from components.runtime.generation.generator import Sampling, load_generator
    from components.runtime.manifest import GENERATION, form_of, read_bundle

    if form_of(read_bundle(Path(path))) != GENERATION:
        bundle = load_bundle(Path(path))
        names = bundle.kind.texts
        return PyfuncModel(lambda texts: [one.columns for one in bundle.predict(texts)], names)
    generator = load_generator(Path(path))
    by = Sampling(max_tokens=GENERATED, temperature=0.0, top_p=1.0, seed=None, stop=())
    return PyfuncModel(lambda texts: [{"completion": text} for text in generator.complete(check_texts(texts), by)])


def _rows(model_input: Any, names: Sequence[str]) -> Any:
    """What a model reads of each row of a frame: its text, or a tuple of several."""
    if getattr(model_input, "columns", None) is None:
        return model_input
    columns = [_column(model_input, name) for name in names]
    return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))


def _column(frame: Any, name: str) -> list[Any]:
    """The texts, as far as they are any; what is missing is None, whatever pandas took it for."""
    if name not in frame.columns:
        raise DataError(f"no column '{name}' among {', '.join(map(str, frame.columns)) or 'none'}")
    found = frame[name]
    if getattr(found, "ndim", 1) != 1:
        raise DataError(f"two columns are called '{name}'")
    return [None if missing else text for text, missing in zip(found.tolist(), found.isna(), strict=True)]


def input_example(bundle: Path) -> DataFrame:
    """A frame of one row that the bundle's task answers."""
    from pandas import DataFrame

    from components.runtime.manifest import GENERATION, form_of, read_bundle
    from components.tasks.kinds import task_of

    manifest = read_bundle(bundle)
    kind = None if form_of(manifest) == GENERATION else task_of(manifest)
    texts = kind.texts if kind else ("text",)
    text = next(text for text in SENTENCES if kind is None or not kind.refusal(text))
    return DataFrame({name: [[text, text] if name == "choices" else text] for name in texts})


def serving_requirements() -> list[str]:
    """What a bundle needs to answer, at the versions it was made with."""
    from importlib.metadata import version

    return [f"{name}=={version(name)}" for name in ("mlflow", "numpy", "onnxruntime", "pandas", "tokenizers")]
