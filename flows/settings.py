"""The project folder, and truthful changes to its params.yaml."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from components.errors import ParameterError
from components.params import Params, check_params, flatten, load_params, read_yaml


def project_root() -> Path:
    """The folder of dvc.yaml and params.yaml, here or above; it becomes the working directory."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").is_file() and (folder / "params.yaml").is_file():
            os.chdir(folder)
            return folder
    raise ParameterError(f"{here}: no Lianzi project here or above", "cd to the folder that holds dvc.yaml, or use -C")


def change_params(path: Path, settings: tuple[str, ...]) -> list[str]:
    """Apply KEY=VALUE settings to params.yaml, keeping its comments; all of them or none.

    Values are YAML. Returns a line a change. Raises ParameterError before anything is written.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.representer import RoundTripRepresenter

    class KeepNull(RoundTripRepresenter):
        """Writes None as `null`, as it stands in params.yaml."""

    KeepNull.add_representer(type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null"))
    load_params(path)
    yaml = YAML()
    yaml.Representer = KeepNull
    yaml.preserve_quotes = True
    yaml.width = 200
    content = yaml.load(path.read_text(encoding="utf-8"))
    changes = [_apply(content, *_parse(setting)) for setting in settings]
    partial = path.with_suffix(".yaml.partial")
    try:
        with partial.open("w", encoding="utf-8") as stream:
            yaml.dump(content, stream)
        check_params(read_yaml(partial), "--set")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return changes


def what_if(path: Path, settings: tuple[str, ...]) -> Params:
    """The params with KEY=VALUE settings applied, the file left as it is. Raises ParameterError."""
    load_params(path)
    content = read_yaml(path)
    for setting in settings:
        _apply(content, *_parse(setting))
    return check_params(content, "--set" if settings else path.name)


def _parse(setting: str) -> tuple[list[str], Any]:
    from ruamel.yaml import YAML, YAMLError

    key, equals, text = setting.partition("=")
    if not equals or not key.strip():
        raise ParameterError(f"--set {setting!r}: expected KEY=VALUE", "for example --set pretrain.steps=50")
    try:
        return key.strip().split("."), YAML(typ="safe").load(text) if text.strip() else ""
    except YAMLError:
        raise ParameterError(f"--set {key}: {text!r} is not a YAML value") from None


def _apply(content: Any, keys: list[str], value: Any) -> str:
    import difflib

    section, dotted = content, ".".join(keys)
    for key in keys[:-1]:
        section = section.get(key) if isinstance(section, dict) else None
    if not isinstance(section, dict) or keys[-1] not in section:
        close = difflib.get_close_matches(dotted, flatten(content), n=1, cutoff=0.4)
        raise ParameterError(f"--set {dotted}: unknown parameter", f"did you mean '{close[0]}'?" if close else "")
    before, section[keys[-1]] = section[keys[-1]], value
    return f"params.yaml: {dotted}: {before} -> {value}"
