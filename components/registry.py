"""MLflow's model registry: a registered model a task, a version a released bundle, and which of them is in use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from components.tracking import connect, tracking_uri


@dataclass(frozen=True)
class Version:
    """A registered model version."""

    version: int
    tags: dict[str, str]


class Registry:
    """One registered model a task, its bundle as a pyfunc model, the alias `champion`."""

    def __init__(self) -> None:
        self.client = connect()
        import mlflow

        mlflow.set_tracking_uri(tracking_uri())

    def champion(self, task: str) -> Version | None:
        """The version the alias `champion` points at, or None."""
        from mlflow.exceptions import MlflowException

        try:
            found = self.client.get_model_version_by_alias(task, "champion")
        except MlflowException:
            return None
        return Version(int(found.version), dict(found.tags))

    def version_of(self, task: str, bundle: str) -> int | None:
        """The version registered from the bundle with this digest, or None."""
        found = self.client.search_model_versions(f"name = '{task}' and tags.bundle = '{bundle}'")
        return max((int(version.version) for version in found), default=None)

    def versions(self, task: str) -> list[Version]:
        """All versions of a task's model, the newest first."""
        found = self.client.search_model_versions(f"name = '{task}'")
        every = (Version(int(version.version), dict(version.tags)) for version in found)
        return sorted(every, key=lambda version: -version.version)

    def register(self, task: str, bundle: Path, tags: Mapping[str, str], run_id: str) -> int:
        """Log the bundle as a pyfunc model of a run, with signature and input example, and register it."""
        import mlflow
        import pandas

        from components.deployment.serving import _load_pyfunc

        example = pandas.DataFrame({"text": ["The whale is the largest animal that has ever lived."]})
        signature = mlflow.models.infer_signature(example, _load_pyfunc(str(bundle)).predict(example))
        with mlflow.start_run(run_id=run_id, log_system_metrics=False):
            logged = mlflow.pyfunc.log_model(
                name=task,
                loader_module="components.deployment.serving",
                data_path=str(bundle),
                signature=signature,
                input_example=example,
                code_paths=[str(Path(__file__).parent)],
                pip_requirements=_serving_requirements(),
            )
        version = mlflow.register_model(logged.model_uri, task, tags=dict(tags))
        return int(version.version)

    def set_champion(self, task: str, version: int) -> None:
        """Point the alias `champion` at a version."""
        self.client.set_registered_model_alias(task, "champion", str(version))

    def bundle(self, task: str, version: int) -> Path:
        """The folder with a registered version's bundle, fetched if it lies elsewhere."""
        import mlflow

        uri = f"models:/{task}/{version}"
        folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri))
        return folder / "data" / "bundle"


def _serving_requirements() -> list[str]:
    """What a bundle needs to answer, at the versions it was made with."""
    from importlib.metadata import version

    return [f"{name}=={version(name)}" for name in ("mlflow", "numpy", "onnxruntime", "pandas", "tokenizers")]
