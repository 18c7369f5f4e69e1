"""flows.scheduling.assets: what a run materializes, read back from a real Prefect server as events."""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from prefect.tasks import MaterializingTask

from components import tracking
from flows.graph import Stage
from flows.scheduling.assets import asset_key, describe_assets, failed, locked_outs, node
from flows.scheduling.run_pages import run_address
from tests.flows.test_pipeline import ask, lianzi

MATERIALIZED = "prefect.asset.materialization."
REFERENCED = "prefect.asset.referenced"
LOCK = """\
schema: '2.0'
stages:
  first@任务:
    cmd: cat
    outs:
    - path: artifacts/first
      hash: md5
      md5: 0a.dir
      size: 12
      nfiles: 2
  second:
    cmd: cat
    outs:
    - path: second.txt
      hash: md5
      md5: 0b
      size: 3
"""


def asset_events(settings: dict[str, str], since: float, awaited: int) -> list[dict[str, Any]]:
    """The events of assets that the server has of the time after `since`, once so many materializations have come."""
    deadline = time.monotonic() + 60
    began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(since))
    wanted = {"filter": {"occurred": {"since": began}, "event": {"prefix": ["prefect.asset."]}}, "limit": 50}
    while True:
        found: list[dict[str, Any]] = ask(settings, "/events/filter", wanted)["events"]
        made = [one for one in found if one["event"].startswith(MATERIALIZED)]
        if len(made) >= awaited or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def materialized(events: Sequence[dict[str, Any]]) -> dict[str, tuple[str, set[str]]]:
    """Asset -> how it ended, and the assets upstream of it."""
    return {
        event["resource"]["prefect.resource.id"]: (
            event["event"].removeprefix(MATERIALIZED),
            {one["prefect.resource.id"] for one in event["related"] if one["prefect.resource.role"] == "asset"},
        )
        for event in events
        if event["event"].startswith(MATERIALIZED)
    }


def payload(events: Sequence[dict[str, Any]], key: str) -> dict[str, Any]:
    (found,) = [
        event["payload"]
        for event in events
        if event["event"].startswith(MATERIALIZED) and event["resource"]["prefect.resource.id"] == key
    ]
    assert isinstance(found, dict)
    return found


@pytest.mark.slow
def test_each_stage_that_runs_materializes_its_outputs_from_those_it_reads(
    project: Path, prefect_server: dict[str, str]
) -> None:
    first, fragile, dependant, bystander = (
        asset_key(project, f"{name}.txt") for name in ("first", "fragile", "dependant", "bystander")
    )
    # A failed stage fails its asset, and what needs it materializes nothing.
    (project / "break").touch()
    began = time.time()
    lianzi("run", project=project, settings=prefect_server)
    events = asset_events(prefect_server, began, 3)
    assert materialized(events) == {
        first: ("succeeded", set()),
        bystander: ("succeeded", {first}),
        fragile: ("failed", {first}),
    }
    assert payload(events, first)["dvc_hash"] == md5_of(project / "first.txt")
    assert payload(events, first)["bytes"] == len("words\n")
    told = payload(events, fragile)
    assert (told["stage"], told["outcome"]) == ("fragile", "failed")
    assert "source.txt:1 is cracked" in told["reason"]
    assert {event["resource"]["prefect.resource.id"] for event in events if event["event"] == REFERENCED} == {first}

    # What is fresh changes no asset.
    (project / "break").unlink()
    began = time.time() + 1
    time.sleep(2)
    lianzi("run", project=project, settings=prefect_server)
    events = asset_events(prefect_server, began, 2)
    assert materialized(events) == {fragile: ("succeeded", {first}), dependant: ("succeeded", {fragile})}

    # What is restored from DVC's cache does.
    (project / "dependant.txt").unlink()
    (project / "dvc.lock").unlink()
    began = time.time() + 1
    time.sleep(2)
    lianzi("run", project=project, settings=prefect_server)
    events = asset_events(prefect_server, began, 4)
    assert {how for how, _ in materialized(events).values()} == {"succeeded"}
    assert payload(events, dependant)["outcome"] == "restored"
    assert payload(events, dependant)["dvc_hash"] == md5_of(project / "dependant.txt")


def md5_of(path: Path) -> str:
    return subprocess.check_output(["md5sum", path], text=True).split()[0]


def test_a_key_names_project_and_output_and_no_host() -> None:
    assert (
        asset_key(Path("/home/me/My project"), "artifacts/form/teacher") == "lianzi://My-project/artifacts/form/teacher"
    )
    assert asset_key(Path("/mnt/项目"), "artifacts/a b#c") == "lianzi://项目/artifacts/a-b-c"


def test_a_stage_without_outputs_is_a_plain_task(tmp_path: Path) -> None:
    def work() -> None:
        """Nothing."""

    assert not hasattr(node(work, Stage("measure", (), ()), tmp_path), "assets")
    made = node(work, Stage("make", (), (), writes=("a",), reads=("b",)), tmp_path, persist_result=False)
    assert isinstance(made, MaterializingTask)
    assert [asset.key for asset in made.assets] == [asset_key(tmp_path, "a")]
    assert [asset.key for asset in made.asset_deps] == [asset_key(tmp_path, "b")]
    assert (made.name, made.persist_result) == ("make", False)


def test_a_stages_entry_is_read_from_dvc_lock(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_text(LOCK, encoding="utf-8")
    assert locked_outs(tmp_path, "first@任务") == {"artifacts/first": {"dvc_hash": "0a.dir", "bytes": 12, "files": 2}}
    assert locked_outs(tmp_path, "second") == {"second.txt": {"dvc_hash": "0b", "bytes": 3}}
    assert locked_outs(tmp_path, "third") == {}


def test_every_entry_of_the_lock_that_ships_is_read(root: Path) -> None:
    for name, entry in tracking.read_lock(root).items():
        assert {path: out["dvc_hash"] for path, out in locked_outs(root, name).items()} == {
            out["path"]: out["md5"] for out in entry["outs"]
        }


def test_a_reason_quotes_no_data() -> None:
    assert failed("error: x “secret”")["reason"] == "error: x …"


def test_outside_a_task_nothing_is_described(tmp_path: Path) -> None:
    describe_assets(Stage("make", (), (), writes=("a",)), tmp_path, "none", {"outcome": "ran"}, logging.getLogger())


def test_a_stages_run_is_found_inside_the_pipelines(here: Path) -> None:
    with tracking.pipeline_run("whole", {}) as whole:
        with tracking.nested_run("make", {}, whole.id) as made:
            pass
        assert tracking.run_inside(whole.id, "make") == made.id
        assert tracking.run_inside(whole.id, "other") is None
        assert run_address(made.id).endswith(f"/runs/{made.id}")
