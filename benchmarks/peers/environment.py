"""Environments for peers: .cache/peers/NAME holds what benchmarks/peers/NAME.txt pins, and is kept until that changes.

python -m benchmarks.peers.environment NAME… makes some, such as those that tests look for and do not make.
A peer's script runs there as its own process and ends with one line of JSON on stdout.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from components.errors import ServiceError
from components.isolated_envs import environment_python

PEERS = Path(__file__).parent
SHARING = frozenset({"sentence_transformers"})
"""Environments that tests look for and that see the project's own torch and transformers."""

KEPT = PEERS.parent.parent / ".cache" / "peers"


def peer_python(name: str, sharing: bool = False) -> Path:
    """The interpreter of the environment NAME, made when there is none or its pins have changed.

    `sharing`: it sees the project's own packages through a .pth file, so both sides of a comparison run on the very
    same libraries, and only what the peer needs beyond them is installed.
    """
    try:
        return environment_python(KEPT / name, PEERS / f"{name}.txt", sharing)
    except ServiceError as error:
        sys.exit(str(error))


def reenter(name: str, module: str, arguments: list[str]) -> None:
    """Start `module` again with the interpreter of the sharing environment NAME; nothing when it runs there already."""
    if Path(sys.prefix) != KEPT / name:
        python = peer_python(name, sharing=True)
        os.execv(python, [str(python), "-m", module, *arguments])


def call_script(python: Path, *words: object, **settings: str) -> dict[str, Any]:
    """Run a script, with `settings` added to the environment variables, and return the JSON it ends with."""
    lines = _call([str(python), *map(str, words)], **settings).splitlines()
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def _call(words: list[str], **settings: str) -> str:
    done = subprocess.run(words, env=os.environ | settings, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        print(peer_python(wanted, sharing=wanted in SHARING))
