"""The pictures of MLflow, Prefect and a model's pages in docs/images, made anew from results: `make pictures`.

Opens the pages of `lianzi ui` in Chromium, and takes a picture of a page only once the texts that it is for stand in
it. Run it in the project's folder:

    python -m infra.pictures [--out docs/images]
"""

from __future__ import annotations

import argparse
import io
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from urllib.request import Request, urlopen

from components import tracking
from components.params import load_params
from flows.scheduling.run_pages import slug
from flows.ties import NOTE
from tests.browser import await_text, open_browser

if TYPE_CHECKING:
    from selenium.webdriver.chrome.webdriver import WebDriver

LARGEST = 120_000
"""Bytes of a picture."""
KEPT = {
    "runs": "mlflow-runs.png",
    "compare": "mlflow-compare.png",
    "models": "mlflow-models.png",
    "model": "model.png",
    "evaluation": "evaluation.png",
    "flow run": "prefect-run.png",
}
"""The pages whose pictures are kept, and their files."""
HEIGHT = 900
WIDE = 2600
"""The columns of a table that are out of sight have no texts."""


@dataclass(frozen=True)
class Page:
    """A page's address below the server's, the texts that stand in it, the size of the window, and the tab that is
    opened in it first."""

    route: str
    texts: tuple[str, ...]
    width: int = 1280
    tab: str = ""
    height: int = HEIGHT


def mlflow_pages(task: str, metric: str) -> dict[str, Page]:
    """The pages that a person looks at, of the newest results. Raises SystemExit where there are none."""
    client = tracking.connect()
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert experiment is not None
    place = experiment.experiment_id
    shipped = f"{task}/shipped/{metric}"
    found = client.search_runs([place], max_results=500)
    runs = [run for run in found if shipped in run.data.metrics and "mlflow.parentRunId" not in run.data.tags]
    versions = client.search_model_versions(f"name = '{task}'")
    latest = [{"field_name": "creation_timestamp", "ascending": False}]
    # The table shows no more rows than the window has room for, the newest first.
    models = client.search_logged_models([place], "tags.`system` != ''", max_results=3, order_by=latest)
    described = next((run for run in runs if NOTE in run.data.tags), None)
    if not runs or not versions or not models or described is None:
        raise SystemExit(f"error: no released result of '{task}' in MLflow; run `lianzi run`, then again")
    chosen = [run.info.run_id for run in runs[:3]]
    number = max(int(version.version) for version in versions)
    tags = next(version.tags for version in versions if int(version.version) == number)
    base = f"/#/experiments/{place}"
    view = "workflowType=machine_learning&viewStateShareKey=lianzi"
    compared = f"runs={quote(json.dumps(chosen))}&experiments={quote(json.dumps([place]))}"
    return {
        "runs": Page(f"{base}/runs?{view}", (runs[0].info.run_name, shipped)),
        "compare": Page(f"/#/compare-runs?{compared}", (f"Comparing {len(chosen)} Runs", "Show diff only")),
        "run": Page(
            f"{base}/runs/{described.info.run_id}", (described.info.run_name, "shipped", "ms a row", "Made by")
        ),
        "models": Page(f"{base}/models", (*(model.name for model in models), metric, "test.jsonl"), WIDE),
        "version": Page(f"/#/models/{task}/versions/{number}", (f"Version {number}", tags["bundle"][:12], "dvc")),
    }


def model_page(task: str) -> Page:
    """The page of a model, below the project's folder."""
    return Page(f"/reports/model/{task}/index.html", ("where it fails", "How good it is", "What to know"))


def evaluation_page(task: str) -> Page:
    """The page of what each step was worth, below the project's folder, down to its first picture."""
    texts = (f"{task}: evaluation", "Systems", "candidate for release")
    return Page(f"/reports/evaluate/{task}/index.html", texts, width=1100, height=1400)


def prefect_pages(address: str, project: str) -> dict[str, Page]:
    """The pages of the newest flow run that left its tables, and of what it left there.

    `project`: the folder's name in the keys of Prefect's artifacts. Raises SystemExit where there is none.
    """
    wanted = {"artifacts": {"key": {"any_": [f"{project}-stages"]}}}
    tables = _ask(f"{address}/api/artifacts/latest/filter", wanted)
    if not tables:
        raise SystemExit(f"error: no run of {project} left its tables in Prefect; `lianzi run` does, where it has work")
    run, table = tables[0]["flow_run_id"], tables[0]["latest_id"]
    told = _ask(f"{address}/api/flow_runs/{run}")
    stages = [row["stage"] for row in json.loads(tables[0]["data"])]
    return {
        "flow run": Page(f"/runs/flow-run/{run}", (told["name"], told["state"]["name"], "Task runs", "Artifacts")),
        "artifacts": Page(f"/runs/flow-run/{run}", (f"{project}-stages", f"{project}-links"), tab="Artifacts"),
        "stages": Page(f"/artifacts/artifact/{table}", (f"{project}-stages", *stages[:10], "seconds")),
    }


def _ask(address: str, body: Mapping[str, object] | None = None) -> Any:
    content = None if body is None else json.dumps(body).encode()
    with urlopen(Request(address, content, {"content-type": "application/json"}), timeout=60) as answer:
        return json.loads(answer.read())


@contextmanager
def served(root: Path) -> Iterator[tuple[str, str]]:
    """The addresses of Prefect and of MLflow, served by `lianzi ui` for as long as the block lasts."""
    ports = [str(_free_port()) for _ in range(2)]
    words = [sys.executable, "-m", "cli.main", "ui", "--no-browser"]
    words += ["--prefect-port", ports[0], "--mlflow-port", ports[1]]
    with subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("Ctrl-C"):
                    break
            else:
                raise SystemExit("error: `lianzi ui` did not start; see .lianzi/*.log")
            yield f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"
        finally:
            process.send_signal(signal.SIGINT)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def look(browser: WebDriver, address: str, pages: Mapping[str, Page], folder: Path) -> dict[str, Path]:
    """Open each page, wait for its texts, and take its picture. Returns name -> file."""
    found = {}
    for name, page in pages.items():
        browser.set_window_size(page.width, page.height)
        browser.get("about:blank")
        browser.get(address + page.route)
        if page.tab:
            await_text(browser, page.tab, seconds=120)
            browser.find_element("xpath", f"//li[normalize-space()='{page.tab}']").click()
        await_text(browser, *page.texts, seconds=120)
        # Rows and curves are drawn a moment after the words.
        time.sleep(2)
        found[name] = folder / f"{name}.png"
        browser.save_screenshot(str(found[name]))
    return found


def keep(picture: Path, target: Path) -> None:
    """Put a picture in its place. Raises SystemExit for one that is too large."""
    small = _with_fewer_colours(picture)
    if len(small) > LARGEST:
        raise SystemExit(f"error: {target}: {len(small):,} bytes, {LARGEST:,} at most")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(small)
    print(f"{target}: {len(small):,} bytes")


def _with_fewer_colours(picture: Path) -> bytes:
    """A page has few colours: with a palette it takes a third of the bytes."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.open(picture).convert("RGB").quantize(128).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def main() -> None:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("docs/images"), help="the folder of the pictures")
    out: Path = parser.parse_args().out
    root = Path.cwd()
    tasks = {name: task.first_metric for name, task in load_params(root / "params.yaml").tasks.items()}
    with tempfile.TemporaryDirectory() as folder, served(root) as (prefect, mlflow), open_browser() as browser:
        task, metric = next(iter(tasks.items()))
        seen = look(browser, mlflow, mlflow_pages(task, metric), Path(folder))
        seen |= look(browser, prefect, prefect_pages(prefect, slug(root.name)), Path(folder))
        own = {"model": model_page(task), "evaluation": evaluation_page([*tasks][-1])}
        seen |= look(browser, root.as_uri(), own, Path(folder))
        for name, file in KEPT.items():
            keep(seen[name], out / file)


if __name__ == "__main__":
    main()
