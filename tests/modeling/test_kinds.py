from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from components.modeling.config import OBJECTIVES
from components.modeling.kinds import ARCHITECTURES, FROM_SCRATCH


def test_every_name_is_a_file(root: Path) -> None:
    for folder, names in (("architectures", ARCHITECTURES), ("objectives", OBJECTIVES)):
        assert all((root / "components" / "modeling" / folder / f"{name}.py").is_file() for name in names)
    assert set(FROM_SCRATCH) < set(ARCHITECTURES)


def test_the_tables_load_nothing_heavy() -> None:
    told = "import sys, components.modeling.kinds; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", told], text=True).split()
    assert not {"torch", "transformers", "pydantic"} & set(loaded)
