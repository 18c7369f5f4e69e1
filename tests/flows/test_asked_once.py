"""flows.asked_once: DVC is asked once for an input of several stages, and the verdict is the one of `dvc status`."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.asked_once import ask_once, without_locks

DVC_YAML = """
stages:
  one:
    cmd: mkdir -p made && cat code.py folder/a.txt > made/one.txt
    deps: [code.py, folder]
    params: [x, section.y, other.yaml: ]
    outs: [made]
  two:
    cmd: cat code.py made/one.txt > two.txt
    deps: [code.py, folder, made]
    params: [section.y, section.z, x, libraries.yaml: [numpy]]
    metrics: [two.txt: {cache: false}]
  frozen:
    frozen: true
    cmd: cat code.py > frozen.txt
    deps: [code.py]
    params: [x]
    outs: [frozen.txt]
  last:
    cmd: cat two.txt folder/a.txt > last.txt
    deps: [two.txt, folder/a.txt]
    params: [section, libraries.yaml: [numpy, torch]]
    outs: [last.txt]
"""
THAWED = DVC_YAML.replace("frozen: true", "frozen: false")
FILES = {
    "dvc.yaml": DVC_YAML,
    "code.py": "print(1)\n",
    "folder/a.txt": "a\n",
    "folder/b.txt": "b\n",
    "params.yaml": "x: 1\nsection: {y: 2, z: yes}\n",
    "other.yaml": "p: 1\n",
    "libraries.yaml": "numpy: 1.0\ntorch: 2.0\n",
}


def _write(name: str, text: str) -> Callable[[], object]:
    return lambda: Path(name).write_text(text)


EDITS: dict[str, Callable[[], object]] = {
    "none": lambda: None,
    "an input": _write("code.py", "print(23)\n"),
    "an input, as long": _write("code.py", "print(2)\n"),
    "an input removed": lambda: Path("code.py").unlink(),
    "a file of a folder": _write("folder/a.txt", "b\n"),
    "a file more in a folder": _write("folder/c.txt", "c\n"),
    "a file of a folder removed": lambda: Path("folder/b.txt").unlink(),
    "a folder removed": lambda: shutil.rmtree("folder"),
    "a folder that is a file": lambda: (Path("folder").rename("was"), Path("folder").write_text("a")),
    "a parameter": _write("params.yaml", "x: 2\nsection: {y: 2, z: yes}\n"),
    "a parameter in a section": _write("params.yaml", "x: 1\nsection: {y: 2, z: no}\n"),
    "a parameter of another type": _write("params.yaml", "x: '1'\nsection: {y: 2, z: true}\n"),
    "a parameter removed": _write("params.yaml", "x: 1\nsection: {z: yes}\n"),
    "a parameter file removed": lambda: Path("libraries.yaml").unlink(),
    "a whole parameter file": _write("other.yaml", "p: 1\nq: 2\n"),
    "a version": _write("libraries.yaml", "numpy: 1.1\ntorch: 2.0\n"),
    "a command": _write("dvc.yaml", DVC_YAML.replace("cat two.txt folder", "cat  two.txt folder")),
    "a parameter more": _write("dvc.yaml", DVC_YAML.replace("params: [section, ", "params: [section, new, ")),
    "an input less": _write("dvc.yaml", DVC_YAML.replace("[two.txt, folder/a.txt]", "[two.txt]")),
    "thawed": _write("dvc.yaml", THAWED),
    "an output": _write("made/one.txt", "other\n"),
    "an output removed": lambda: Path("last.txt").unlink(),
    "a metric": _write("two.txt", "other\n"),
    "the frozen stage's output": _write("frozen.txt", "other\n"),
    "the lock file removed": lambda: Path("dvc.lock").unlink(),
    "the cache removed": lambda: shutil.rmtree(".dvc/cache"),
}


CHANGES_NOTHING = {"none", "thawed", "an input less"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has run, made once to be copied."""
    folder = tmp_path_factory.mktemp("finished")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "dvc.yaml").write_text(THAWED)
    for words in ("git init -q", "dvc init -q", "dvc config core.analytics false", "dvc repro -q"):
        subprocess.run(words.split(), cwd=folder, check=True)
    (folder / "dvc.yaml").write_text(DVC_YAML)
    return folder


@pytest.fixture
def project(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _status(shared: bool) -> dict[str, Any]:
    """DVC's verdict on the working directory."""
    from dvc.repo import Repo, lock_repo

    with Repo() as repo, lock_repo(repo):
        if shared:
            ask_once(repo.index.stages)
            without_locks(repo.index.stages)
        return dict(repo.status())


@pytest.mark.parametrize("edit", EDITS)
def test_the_verdict_after_an_edit_is_dvcs_own(project: Path, edit: str) -> None:
    EDITS[edit]()
    told = _status(shared=True)
    assert told == _status(shared=False)
    assert (told == {}) == (edit in CHANGES_NOTHING)


def test_an_input_of_two_stages_is_hashed_once_in_a_reading(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dvc.output

    hashed: Counter[str] = Counter()
    build = dvc.output.build
    monkeypatch.setattr(
        dvc.output,
        "build",
        lambda odb, path, *rest, **words: (hashed.update([path]), build(odb, path, *rest, **words))[1],
    )
    _status(shared=True)
    assert hashed[str(project / "code.py")] == hashed[str(project / "folder")] == 1
    Path("code.py").write_text("print(3)\n")
    assert {*_status(shared=True)} == {"one", "two"}


def test_a_parameter_file_is_read_once_for_all_who_name_parameters(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dvc.dependency import param

    read: Counter[str] = Counter()
    load = param.load_path
    monkeypatch.setattr(param, "load_path", lambda path, fs, **words: (read.update([path]), load(path, fs, **words))[1])
    _status(shared=True)
    assert read == {str(project / name): 1 for name in ("params.yaml", "libraries.yaml", "other.yaml")}


def test_no_lock_is_taken_on_the_files_of_a_stage(project: Path) -> None:
    record = Path(".dvc/tmp/rwlock")
    record.unlink()
    _status(shared=True)
    assert not record.exists()
    _status(shared=False)
    assert record.exists()
