"""Which modules a command has imported when it ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable


def command_imports(words: list[str], modules: Iterable[str]) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run `lianzi WORDS` in a process of its own. Returns it, and the list of these modules that it has imported, which
    is the last line it printed.
    """
    program = (
        f"import sys; sys.argv = {['lianzi', *words]!r}; from cli.main import main\n"
        "try: main()\n"
        f"except SystemExit: print(sorted({set(modules)!r} & {{*sys.modules}}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done, done.stdout.splitlines()[-1]
