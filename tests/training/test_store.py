import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from components.artifacts import MANIFEST, file_hash
from components.declared import Declared, declared
from components.params import Params, read_yaml
from components.training.store import (
    KEPT_CHECKPOINTS,
    KEPT_KEYS,
    PROGRESS,
    Checkpoint,
    CheckpointStore,
    Tensors,
    open_store,
    training_key,
)

ROOT = Path(__file__).parent.parent.parent
FILES = [MANIFEST, PROGRESS, "optimizer.safetensors", "weights.safetensors"]


def tensors(step: int) -> Tensors:
    return {
        "weights": {"layer.weight": torch.full((3, 4), float(step)), "layer.bias": torch.arange(4.0)},
        "optimizer": {"layer.weight/exp_avg": torch.full((3, 4), -float(step)), "layer.weight/step": torch.tensor(2.0)},
    }


def progress(step: int) -> dict[str, Any]:
    return {"losses": [1 / 3, 1e-30], "step": step}


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    """A store with checkpoints of steps 1 and 2."""
    store = CheckpointStore(tmp_path / "store")
    for step in (1, 2):
        store.save(step, tensors(step), progress(step))
    return store


def newest(store: CheckpointStore) -> tuple[Checkpoint | None, list[str]]:
    """The checkpoint found, and what was said."""
    said: list[str] = []
    return store.newest(said.append), said


def is_whole(checkpoint: Checkpoint | None, step: int) -> bool:
    if checkpoint is None or (checkpoint.step, checkpoint.progress) != (step, progress(step)):
        return False
    return all(
        torch.equal(checkpoint.tensors[file][name], tensor)
        for file, content in tensors(step).items()
        for name, tensor in content.items()
    )


def folders(store: CheckpointStore) -> list[str]:
    return sorted(path.name for path in store.folder.iterdir())


def test_what_was_saved_is_read_back(store: CheckpointStore) -> None:
    found, said = newest(store)
    assert is_whole(found, 2)
    assert said == []


def test_an_empty_store_has_nothing(tmp_path: Path) -> None:
    assert newest(CheckpointStore(tmp_path / "nowhere")) == (None, [])


def test_only_the_last_two_are_kept(store: CheckpointStore) -> None:
    for step in (10, 9_999_999):
        store.save(step, tensors(step), progress(step))
    assert [name[:13] for name in folders(store)] == ["step-00000010", "step-09999999"]
    assert len(folders(store)) == KEPT_CHECKPOINTS


def test_saving_the_same_again_changes_nothing(store: CheckpointStore) -> None:
    before = folders(store)
    assert store.save(2, tensors(2), progress(2)).name == before[-1]
    assert folders(store) == before


def test_a_step_saved_anew_takes_the_place_of_the_old_one(store: CheckpointStore) -> None:
    for validated in range(8):
        store.save(2, tensors(2), {"validated": validated})
        assert len(folders(store)) == KEPT_CHECKPOINTS
        found, _ = newest(store)
        assert found is not None
        assert found.progress == {"validated": validated}
    empty(next(store.folder.glob("step-00000002-*")) / PROGRESS)
    assert is_whole(newest(store)[0], 1)


@pytest.mark.parametrize("file", FILES)
def test_a_flipped_byte_is_noticed_wherever_it_is(store: CheckpointStore, tmp_path: Path, file: str) -> None:
    generator = np.random.default_rng(FILES.index(file))
    path = next(store.folder.glob("step-00000002-*")) / file
    content = path.read_bytes()
    places = {0, len(content) - 1, *(int(place) for place in generator.integers(len(content), size=6))}
    for place in sorted(places):
        shutil.rmtree(tmp_path / "copy", ignore_errors=True)
        shutil.copytree(store.folder, tmp_path / "copy")
        copy = CheckpointStore(tmp_path / "copy")
        changed = bytearray(content)
        changed[place] ^= int(generator.integers(1, 256))
        (copy.folder / path.parent.name / file).write_bytes(changed)
        found, said = newest(copy)
        assert is_whole(found, 1), place
        assert len(said) == 1
        assert "refused" in said[0]
        assert f"step-00000002-{path.parent.name[-16:]}/{file}" in said[0]
        assert folders(copy) == [folders(store)[0]]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def replace_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", [cut, empty, lengthen, replace_by_a_folder, Path.unlink])
def test_a_damaged_file_is_named_and_the_checkpoint_before_is_used(
    store: CheckpointStore, file: str, damage: Callable[[Path], None]
) -> None:
    path = next(store.folder.glob("step-00000002-*")) / file
    damage(path)
    found, said = newest(store)
    assert is_whole(found, 1)
    assert [str(path) in line for line in said] == [True]
    assert not path.exists()
    assert newest(store)[1] == []


def test_a_file_of_another_checkpoint_is_refused(store: CheckpointStore) -> None:
    first, second = (store.folder / name for name in folders(store))
    for file in (MANIFEST, PROGRESS):
        shutil.copy(first / file, second / file)
    assert is_whole(newest(store)[0], 1)


def test_where_all_are_damaged_there_is_none(store: CheckpointStore) -> None:
    for path in store.folder.glob("*/weights.safetensors"):
        empty(path)
    found, said = newest(store)
    assert found is None
    assert len(said) == 2
    assert folders(store) == []


def test_other_files_in_the_folder_are_no_checkpoints(store: CheckpointStore) -> None:
    (store.folder / ".step-00000003.partial").mkdir()
    (store.folder / "step-00000003").mkdir()
    store.part("teacher").save(9, tensors(9), progress(9))
    assert is_whole(newest(store)[0], 2)
    assert is_whole(newest(store.part("teacher"))[0], 9)
    assert newest(store.part("scratch"))[0] is None


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_an_exception_while_saving_leaves_the_older_ones(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    before = folders(store)
    for function in ("write_json", "file_hash", "_sync"):
        with monkeypatch.context() as patch:

            def fail(*_: Any) -> None:
                raise error

            patch.setattr(f"components.training.store.{function}", fail)
            with pytest.raises(error):
                store.save(3, tensors(3), progress(3))
        assert folders(store) == before
    assert is_whole(newest(store)[0], 2)


def test_what_json_cannot_hold_is_refused_before_anything_is_replaced(store: CheckpointStore) -> None:
    before = folders(store)
    with pytest.raises(ValueError, match="JSON"):
        store.save(3, tensors(3), {"loss": float("nan")})
    assert folders(store) == before


FULL_DISK = """
import errno, resource, signal, sys
from pathlib import Path
import torch
from components.training.store import CheckpointStore

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
store = CheckpointStore(Path(sys.argv[1]))
try:
    store.save(3, {"weights": {"weight": torch.zeros(100_000)}}, {})
except OSError as error:
    assert error.errno == errno.EFBIG, error
else:
    sys.exit("no error")
print(*sorted(path.name for path in store.folder.iterdir()))
store.save(3, {"weights": {"weight": torch.zeros(10)}}, {})
"""


def test_a_full_disk_leaves_the_older_ones_and_room_lets_it_go_on(store: CheckpointStore, root: Path) -> None:
    """A limit on file sizes stands in for the full disk: the same write fails, with EFBIG for ENOSPC."""
    before = folders(store)
    words = [sys.executable, "-c", FULL_DISK, str(store.folder)]
    told = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert told.stdout.split() == before
    assert folders(store)[-1].startswith("step-00000003")


def test_what_a_killed_process_left_behind_is_cleared_away(store: CheckpointStore) -> None:
    partial = store.folder / ".step-00000003.partial"
    partial.mkdir()
    (partial / "weights.safetensors").write_bytes(b"half")
    (partial / "other").write_bytes(b"half")
    store.save(3, tensors(3), progress(3))
    assert is_whole(newest(store)[0], 3)
    assert not partial.exists()


def test_a_rank_that_does_not_lead_refuses_but_neither_says_nor_removes(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = next(store.folder.glob("step-00000002-*")) / PROGRESS
    empty(path)
    monkeypatch.setenv("RANK", "1")
    found, said = newest(store)
    assert is_whole(found, 1)
    assert said == []
    assert path.exists()


def test_the_tracked_run_is_remembered(store: CheckpointStore, tmp_path: Path) -> None:
    assert store.run_id() is None
    store.remember_run("abc")
    store.remember_run("def")
    assert CheckpointStore(store.folder).run_id() == "def"
    assert is_whole(newest(store)[0], 2)
    fresh = CheckpointStore(tmp_path / "fresh")
    fresh.remember_run("abc")
    assert fresh.run_id() == "abc"


@pytest.mark.parametrize("content", ["", "{", "{}"])
def test_a_damaged_memory_of_the_run_is_none(store: CheckpointStore, content: str) -> None:
    (store.folder / "run.json").write_text(content)
    assert store.run_id() is None


def test_clearing_frees_the_folder(store: CheckpointStore) -> None:
    store.remember_run("abc")
    store.clear()
    assert not store.folder.exists()
    assert newest(store) == (None, [])
    assert store.run_id() is None
    store.clear()


STAGE = Declared(
    code=("components/training/order.py",), reads=("rows", "table"), writes=(), params=(), libraries=("torch",)
)


@pytest.fixture
def arguments(params: Params, tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "train.jsonl").write_text("row\n")
    (tmp_path / "table").write_text("table")
    return {
        "config": params.pretrain,
        "model": params.model,
        "seed": 17,
        "rows": tmp_path / "rows",
        "table": tmp_path / "table",
        "output": tmp_path / "output",
    }


def test_the_same_arguments_have_the_same_key(arguments: dict[str, Any]) -> None:
    assert training_key(STAGE, arguments) == training_key(STAGE, dict(reversed(arguments.items())))


def test_a_parameter_or_a_seed_changes_the_key(arguments: dict[str, Any]) -> None:
    config = arguments["config"]
    keys = [
        training_key(STAGE, arguments),
        training_key(STAGE, arguments | {"seed": 18}),
        training_key(STAGE, arguments | {"config": config.model_copy(update={"learning_rate": 0.5})}),
        training_key(STAGE, arguments | {"config": config.model_copy(update={"steps": config.steps + 1})}),
        training_key(STAGE, arguments | {"model": arguments["model"].model_copy(update={"depth": 9, "width": None})}),
    ]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(("file", "content"), [("table", "tablE"), ("rows/train.jsonl", "rox\n")])
def test_a_byte_of_an_input_changes_the_key(arguments: dict[str, Any], tmp_path: Path, file: str, content: str) -> None:
    before = training_key(STAGE, arguments)
    (tmp_path / file).write_text(content)
    assert training_key(STAGE, arguments) != before


def test_an_output_does_not_change_the_key_nor_where_it_is_to_go(arguments: dict[str, Any], tmp_path: Path) -> None:
    key = training_key(STAGE, arguments)
    assert key == training_key(STAGE, arguments | {"output": tmp_path / "elsewhere"})
    (tmp_path / "output").write_text("of an earlier run")
    assert key == training_key(STAGE, arguments)


def test_other_code_or_libraries_change_the_key(arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(STAGE, code=("components/training/spikes.py",))
    keys = [training_key(STAGE, arguments), training_key(other, arguments)]
    monkeypatch.setattr("components.training.store.installed", lambda name: "0")
    keys.append(training_key(STAGE, arguments))
    assert len(set(keys)) == 3


def test_a_change_to_what_a_stage_does_not_import_leaves_its_checkpoints(
    arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {"tokens": arguments["rows"], "tokenizer": arguments["table"]}
    key = training_key(declared("pretrain", read_yaml(ROOT / "params.yaml")), arguments | paths)
    hashed = []
    monkeypatch.setattr("components.training.store.file_hash", lambda path: hashed.append(path.name) or file_hash(path))
    assert training_key(declared("pretrain", read_yaml(ROOT / "params.yaml")), arguments | paths) == key
    assert "trainer.py" in hashed
    assert not {"figures.py", "finetune.py", "pruning.py"} & set(hashed)


def test_an_opened_store_is_found_again_and_the_oldest_key_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIANZI_CACHE", str(tmp_path / "cache"))
    stores = []
    for seed in range(KEPT_KEYS):
        stores.append(open_store("pretrain", STAGE, {"seed": seed}))
        stores[-1].save(1, tensors(1), progress(1))
        os.utime(stores[-1].folder, (1000 + seed, 1000 + seed))
    assert is_whole(newest(open_store("pretrain", STAGE, {"seed": 0}))[0], 1)
    other = open_store("finetune@topic", STAGE, {"seed": 99})
    fourth = open_store("pretrain", STAGE, {"seed": 99})
    assert fourth.folder.parent == tmp_path / "cache" / "checkpoints" / "pretrain"
    assert [store.folder.exists() for store in [*stores, fourth, other]] == [True, False, True, True, True]


def test_a_manifest_lists_every_file_with_its_hash(store: CheckpointStore) -> None:
    folder = store.folder / folders(store)[-1]
    manifest = json.loads((folder / MANIFEST).read_text())
    assert manifest["step"] == 2
    assert {MANIFEST, *manifest["files"]} == set(FILES)
