"""MLflow's model registry: a registered model a task, a version a released bundle, and which of them is in use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from components.champions import BUNDLE, CHALLENGER, CHAMPION, champion_bundle
from components.errors import ArtifactError, ServiceError, first_line

# MLflow demands the name; models registered in earlier versions look for it here.
from components.pyfunc import _load_pyfunc, input_example, serving_requirements
from components.release_log import Entry, broken, following, read_log
from components.tracking import connect, store_exists, tracking_uri, without_password
from components.tracking.past_runs import run_or_none
from components.tracking.registered import stored_versions
from components.tracking.revision import COMMIT
from components.tracking.store import PARENT
from components.versions import REFUSED, StoredVersions, Version, Versions

ROLLED_BACK = "rolled_back"
"""The tag of a version that someone took out of use: no release makes it champion again."""
DECLINED = "declined"
"""The tag of a version that a person declined, or that did not prove itself as challenger: why. No release takes it."""
GATE = "gate."
"""The beginning of the tags of a version that hold what a gate said of it: `passed: …` or `refused: …`."""
GATES_HEADING = "## Gates"
_CHAMPIONS = "champions"
"""The tag with the numbers of all champions in stores from before the log."""


class Registry(Versions):
    """One registered model a task, its bundle as a pyfunc model, the aliases `champion` and `challenger`, and a log of
    them."""

    def __init__(self) -> None:
        self.client = connect()
        import mlflow

        mlflow.set_tracking_uri(tracking_uri())

    def version_at(self, task: str, alias: str) -> Version | None:
        """The version the alias points at, or None. Raises ServiceError.

        A search answers "none" with an empty list: no error of any kind, a 503 say, is ever taken for it. It was once,
        and a worse model would have become champion.
        """
        with _answering():
            known = self.client.search_registered_models(f"name = '{task}'")
            version = known[0].aliases.get(alias) if known else None
            if version is None:
                return None
            found = self.client.get_model_version(task, str(version))
        return Version(int(found.version), dict(found.tags))

    def version_of(self, task: str, bundle: str) -> int | None:
        """The version registered from the bundle with this digest, or None. Raises ServiceError."""
        with _answering():
            found = self.client.search_model_versions(f"name = '{task}' and tags.bundle = '{bundle}'")
        return max((int(version.version) for version in found), default=None)

    def run_of(self, task: str, version: int) -> str | None:
        """The id of the run that registered a version; None where there is no such version. Raises ServiceError."""
        with _answering():
            found = self.client.search_model_versions(f"name = '{task}'")
        return next((str(one.run_id) for one in found if int(one.version) == version), None)

    def versions(self, task: str) -> list[Version]:
        """All versions of a task's model, the newest first. Raises ServiceError."""
        with _answering():
            found = self.client.search_model_versions(f"name = '{task}'")
        every = (Version(int(version.version), dict(version.tags)) for version in found)
        return sorted(every, key=lambda version: -version.version)

    def register(self, task: str, bundle: Path, tags: Mapping[str, str], run_id: str) -> int:
        """Log the bundle as a pyfunc model of a run, with signature and input example, and register it.

        Raises ServiceError.
        """
        import mlflow

        example = input_example(bundle)
        signature = mlflow.models.infer_signature(example, _load_pyfunc(str(bundle)).predict(example))
        with _answering(), mlflow.start_run(run_id=run_id, log_system_metrics=False):
            logged = mlflow.pyfunc.log_model(
                name=task,
                loader_module=_load_pyfunc.__module__,
                data_path=str(bundle),
                signature=signature,
                input_example=example,
                code_paths=[str(Path(__file__).parent)],
                pip_requirements=serving_requirements(),
            )
            version = mlflow.register_model(logged.model_uri, task, tags=dict(tags))
        return int(version.version)

    def set_champion(self, task: str, version: int, by: str = "release") -> None:
        """Point the alias `champion` at a version, and log it. A challenger of that version is none any more.

        Raises ServiceError.
        """
        challenger = self.challenger(task)
        self._point(task, CHAMPION, version, by)
        if challenger is not None and challenger.version == version:
            self._point(task, CHALLENGER, None, by)
        self._not_refused(task, version)

    def _not_refused(self, task: str, version: int) -> None:
        """Take the marks of a refusal off a version that is used after all."""
        with _answering():
            tags = next((one.tags for one in self.versions(task) if one.version == version), {})
            for tag in (REFUSED, DECLINED):
                if tag in tags:
                    self.client.delete_model_version_tag(task, str(version), tag)

    def set_challenger(self, task: str, version: int, by: str = "release") -> None:
        """Point the alias `challenger` at a version, and log it where it was not there. Raises ServiceError."""
        challenger = self.challenger(task)
        if challenger is None or challenger.version != version:
            self._point(task, CHALLENGER, version, by)
        self._not_refused(task, version)

    def promote(self, task: str, by: str = "release") -> Version:
        """Make the challenger champion; there is no challenger then. Raises ArtifactError without one, ServiceError."""
        version = self._challenging(task)
        self.set_champion(task, version.version, by)
        return version

    def decline(self, task: str, reason: str, by: str) -> Version:
        """Take the challenger back, noting why: no release makes this version challenger again.

        Raises ArtifactError without one, ServiceError.
        """
        version = self._challenging(task)
        with _answering():
            self.client.set_model_version_tag(task, str(version.version), DECLINED, reason)
        self._point(task, CHALLENGER, None, by)
        return version

    def _challenging(self, task: str) -> Version:
        if (version := self.challenger(task)) is None:
            raise ArtifactError(f"{task}: no challenger", "a release that passes every gate makes one")
        return version

    def log(self, task: str) -> list[Entry]:
        """What happened to the aliases of a task, the oldest first. Raises ServiceError."""
        return read_log(self._tags(task))

    def broken_log(self, task: str) -> str:
        """Where the log of a task is not as it was written; empty where it is. Raises ServiceError."""
        return broken(self._tags(task))

    def _tags(self, task: str) -> dict[str, str]:
        with _answering():
            known = self.client.search_registered_models(f"name = '{task}'")
        return dict(known[0].tags) if known else {}

    def _point(self, task: str, alias: str, version: int | None, by: str) -> None:
        """Move an alias, or take it away, and log that.

        Logged first: where the process ends in between, the log names a champion that there is not, and `lianzi live`
        says so. A champion that nothing tells of would go unseen.
        """
        with _answering():
            known = self.client.search_registered_models(f"name = '{task}'")[0]
            before = known.aliases.get(alias)
            made = {} if version is None else self._made_by(task, version)
            entry = following(
                read_log(known.tags), alias, version, None if before is None else int(before), by, _user(), made
            )
            self.client.set_registered_model_tag(task, entry.tag, entry.text)
            if version is not None:
                self.client.set_registered_model_alias(task, alias, str(version))
            else:
                self.client.delete_registered_model_alias(task, alias)

    def _made_by(self, task: str, version: int) -> dict[str, str]:
        """The run and the commit that a version comes from, as far as they are still known."""
        run_id = self.client.get_model_version(task, str(version)).run_id
        return {"run": run_id, "commit": self._run_tags(run_id).get(COMMIT, "")} if run_id else {}

    def refuse(self, task: str, version: int, reason: str) -> None:
        """Note on a version why it did not become champion; where it was challenger, it is none any more.

        Raises ServiceError.
        """
        with _answering():
            self.client.set_model_version_tag(task, str(version), REFUSED, reason)
        challenger = self.challenger(task)
        if challenger is not None and challenger.version == version:
            self._point(task, CHALLENGER, None, "release")

    def note_gates(self, task: str, version: int, gates: Sequence[tuple[str, bool, str]], run_id: str) -> None:
        """Note what each gate said, (name, passed, sentence): tags and description of the version, and a table of the
        run. Raises ServiceError."""
        names, passed, sentences = zip(*gates, strict=True)
        told = ["passed" if one else "refused" for one in passed]
        rows = "\n".join(f"| {name} | {one} | {text} |" for name, one, text in zip(names, told, sentences, strict=True))
        table = f"{GATES_HEADING}\n\n| gate | | |\n|---|---|---|\n{rows}\n"
        with _answering():
            for name, one, text in zip(names, told, sentences, strict=True):
                self.client.set_model_version_tag(task, str(version), f"{GATE}{name}", f"{one}: {text}")
            described = self.client.get_model_version(task, str(version)).description or ""
            before = described.partition(GATES_HEADING)[0].rstrip()
            self.client.update_model_version(task, str(version), f"{before}\n\n{table}".lstrip())
            self.client.set_tag(run_id, "mlflow.note.content", table)
            columns = {"gate": list(names), "verdict": told, "sentence": list(sentences)}
            self.client.log_table(run_id, columns, "gates.json")

    def note_canary(self, task: str, version: int, passed: bool, sentence: str) -> None:
        """Note on a version what its share of the requests said of it, beside what the gates did.

        Raises ServiceError.
        """
        with _answering():
            told = f"{'passed' if passed else 'refused'}: {sentence}"
            self.client.set_model_version_tag(task, str(version), f"{GATE}canary", told)

    def noted(self, task: str, version: int, tag: str) -> str:
        """A tag of a version, else of the run that made it, else of that run's parent; empty without."""
        with _answering():
            found = self.client.get_model_version(task, str(version))
            tags, run_id = dict(found.tags), found.run_id
            while tag not in tags and run_id:
                tags = self._run_tags(run_id)
                run_id = tags.get(PARENT)
        return str(tags.get(tag, ""))

    def _run_tags(self, run_id: str) -> dict[str, str]:
        """Empty where the run was deleted since. Raises MlflowException where the store does not answer."""
        run = run_or_none(self.client, run_id)
        return dict(run.data.tags) if run is not None else {}

    def former_champions(self, task: str) -> list[int]:
        """Versions that were champion before the present one and were not rolled back, the last one first.

        Raises ServiceError.
        """
        champion = self.champion(task)
        tags = {version.version: version.tags for version in self.versions(task)}
        kept = [
            number
            for number in reversed(self._noted_champions(task))
            if number in tags and ROLLED_BACK not in tags[number] and champion and number != champion.version
        ]
        return list(dict.fromkeys(kept))

    def roll_back(self, task: str, version: int) -> None:
        """Make a version champion in place of the present one, which is marked so that no release takes it again.

        Raises ServiceError.
        """
        before = self.champion(task)
        with _answering():
            if before is not None and before.version != version:
                self.client.set_model_version_tag(task, str(before.version), ROLLED_BACK, "true")
            if any(one.version == version and ROLLED_BACK in one.tags for one in self.versions(task)):
                self.client.delete_model_version_tag(task, str(version), ROLLED_BACK)
        self.set_champion(task, version, "rollback")

    def _noted_champions(self, task: str) -> list[int]:
        """The versions that were made champion, the last one last."""
        tags = self._tags(task)
        early = [int(number) for number in tags.get(_CHAMPIONS, "").split() if number.isdecimal()]
        logged = (one.version for one in read_log(tags) if one.alias == CHAMPION)
        return [*early, *(version for version in logged if version is not None)]

    def bundle(self, task: str, version: int) -> Path:
        """The folder with a registered version's bundle, fetched if it lies elsewhere. Raises ServiceError."""
        import mlflow

        uri = f"models:/{task}/{version}"
        with _answering():
            folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri))
        return folder / BUNDLE


def known_versions() -> Versions:
    """The registry for whoever only asks: without MLflow where the store is a file. Raises ServiceError."""
    found = stored_versions()
    return Registry() if found is None else StoredVersions(found)


def bundle_of_champion(task: str) -> Path | None:
    """The folder of the champion's bundle, fetched if it lies elsewhere, or None. Raises ServiceError."""
    if (near := champion_bundle(task)) is not None:
        return near
    champion = known_versions().champion(task)
    return None if champion is None else Registry().bundle(task, champion.version)


def no_champion(task: str) -> ArtifactError:
    """The error of a task that has none: that one waits to be approved, or why a release refused one.

    Raises ServiceError.
    """
    if store_exists():
        registry = known_versions()
        if (challenger := registry.challenger(task)) is not None:
            waits = f"v{challenger.version} is the challenger"
            return ArtifactError(f"{task}: no champion yet; {waits}", f"`lianzi approve {task}` makes it champion")
        if refusal := registry.refusal(task):
            return ArtifactError(f"{task}: no champion; {refusal}", "docs/evaluation.md says what helps")
    return ArtifactError(f"{task}: no champion yet", "`lianzi run` trains and releases one, or says why not")


@contextmanager
def _answering() -> Iterator[None]:
    """Tell a registry that does not answer, or refuses, in two lines."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        told = without_password(first_line(error))[:200]
        raise ServiceError(
            f"MLflow's registry at {without_password(tracking_uri())}: {told}",
            "nothing was decided; run again once it answers",
        ) from None


def _user() -> str:
    """Who moves an alias; empty where the system has no name for them, as in some containers."""
    import getpass

    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return ""
