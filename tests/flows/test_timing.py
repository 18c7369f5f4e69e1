"""flows.timing: one measurement at a time, and what a release shows of the rungs that it does not time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from components.artifacts import read_manifest, write_json
from flows.timing import refused_for_quality
from tests.flows.test_release import released_project
from tests.small_ladder import Ladder


def test_who_measures_waits_for_a_release_in_another_process_and_says_so(project: Path) -> None:
    holding = (
        "import sys; from pathlib import Path; from flows.timing import one_at_a_time\n"
        "with one_at_a_time(Path.cwd(), 'other'): print('held', flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", holding]
    other = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    waiting = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == "[other] waits for another release or `lianzi speed` to end\n"
    assert waiting.poll() is None
    other.communicate("")
    assert waiting.stdout.readline() == "held\n"
    waiting.communicate()


def test_rungs_that_lost_quality_are_named(project: Path, ladder: Ladder) -> None:
    released_project(project, ladder)
    bundle = project / "artifacts/places/bundle"
    assert refused_for_quality(bundle) == {}
    manifest = read_manifest(bundle, "bundle")
    manifest["quantization"]["int8"] |= {"accepted": 0, "reason": "loses 0.3"}
    write_json(bundle / "manifest.json", manifest)
    assert refused_for_quality(bundle) == {"int8": "it loses 0.3"}
