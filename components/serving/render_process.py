"""The process in which a bundle's chat template is rendered, for components.serving.rendering.

Lines of JSON: first {"template", "tokens"}, answered by {}; then a list of messages each, answered by {"prompt"} or
{"refused"}. It ends with its input, and where a conversation takes too much time: the kernel sees to that, so it
outlives nobody for long.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from contextlib import suppress
from typing import Any

from components.runtime.generation.chat import render_or_reason

SECONDS = 1.0
"""CPU seconds for a conversation; a template takes milliseconds."""
MEMORY = 512 << 20
"""Bytes; the interpreter and Jinja take a tenth."""


def main() -> None:
    """Answer until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's, which ends this process when it is done
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    for bound, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0)):
        with suppress(ValueError, OSError):  # not every system has every bound
            resource.setrlimit(bound, (most, most))
    given = json.loads(sys.stdin.buffer.readline())
    _answer({})
    for line in sys.stdin.buffer:
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        prompt, reason = render_or_reason(given["template"], json.loads(line), given["tokens"])
        signal.setitimer(signal.ITIMER_PROF, 0)
        _answer({"prompt": prompt} if reason is None else {"refused": reason})


def _answer(content: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(content).encode() + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    try:
        main()
    except (BrokenPipeError, MemoryError):  # nobody reads any more, or the template has left no memory
        os._exit(1)
