from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def answers(*lines: Any) -> tuple[list[Any], int]:
    """What the process answers to these lines before they end, and what it ends with."""
    command = [sys.executable, "-m", "components.serving.render_process"]
    given = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()], done.returncode


def test_it_is_ready_answers_each_conversation_in_a_line_and_ends_with_its_input() -> None:
    given = {"template": "{{ messages[0].content }}\n{{ mark }}", "tokens": {"mark": "!"}}
    said = [[{"role": "user", "content": content}] for content in ("a\nb", "𠀀")]
    found, code = answers(given, *said, [])
    assert found[:3] == [{}, {"prompt": "a\nb\n!"}, {"prompt": "𠀀\n!"}]
    assert list(found[3]) == ["refused"]
    assert code == 0


def test_it_ends_itself_whoever_still_waits_for_it() -> None:
    found, code = answers({"template": "{{ 7 ** 999999999 }}", "tokens": {}}, [])
    assert (found, code) == ([{}], -signal.SIGPROF)


def test_a_template_writes_no_files_and_takes_no_more_memory_than_it_may() -> None:
    found, _ = answers({"template": "{{ 'a' * 10 ** 9 }}", "tokens": {}}, [], [])
    assert found == [{}, {"refused": "MemoryError"}, {"refused": "MemoryError"}]
