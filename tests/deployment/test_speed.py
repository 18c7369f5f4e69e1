from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts import digest
from components.deployment.rows import read_rows
from components.deployment.speed import (
    Target,
    cases,
    judge,
    measure_speed,
    package_joules,
    peak_memory,
    timed_rung,
    write_speed,
)
from components.runtime.bundle import load_bundle
from tests.slower import slow_down
from tests.small_ladder import LABELS, Ladder

TARGET = Target(batch=1, min_speedup=1.0, rounds=10, confidence=0.95)


def texts_of(ladder: Ladder) -> list[str]:
    return read_rows(ladder.rows, "test", LABELS).texts


def seconds(**rungs: float) -> dict[str, dict[str, np.ndarray]]:
    return {name: {"batch_1_short": np.full(9, one), "batch_1_full": np.full(9, one)} for name, one in rungs.items()}


@pytest.fixture(scope="module")
def slowed(ladder: Ladder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    bundle = Path(shutil.copytree(ladder.bundle, tmp_path_factory.mktemp("slowed") / "bundle"))
    slow_down(bundle, "int4_embeddings")
    return bundle


@pytest.fixture(scope="module")
def found(ladder: Ladder, slowed: Path) -> dict[str, Any]:
    return measure_speed(slowed, texts_of(ladder), [1, 4], TARGET)


def test_a_rung_made_slower_is_refused_and_the_one_above_shipped(
    ladder: Ladder, slowed: Path, found: dict[str, Any]
) -> None:
    texts = texts_of(ladder)
    slow, before = load_bundle(slowed, "int4_embeddings"), load_bundle(ladder.bundle, "int4_embeddings")
    assert np.array_equal(slow.logits(texts), before.logits(texts))
    verdict = found["verdicts"]["int4_embeddings"]
    assert not verdict["accepted"]
    assert verdict["speed_up"] < 0.8
    assert verdict["reason"].startswith(f"it is only {verdict['speed_up']:.2f} times as fast as {verdict['above']}")
    assert found["shipped"] == verdict["above"] != "int4_embeddings"


def test_a_bundle_with_that_measurement_answers_with_the_rung_above(slowed: Path, found: dict[str, Any]) -> None:
    assert load_bundle(slowed).rung == "int4_embeddings"
    write_speed(slowed, found)
    assert load_bundle(slowed).rung == found["shipped"]
    assert digest(slowed) == found["bundle"]


def test_every_rung_is_measured_in_every_case_and_the_machine_described(found: dict[str, Any]) -> None:
    assert list(found["speed"]) == found["ladder"] == ["fp32", "int8", "int8_static", "int4_embeddings"]
    for figures in found["speed"].values():
        assert set(figures) == {"batch_1_short", "batch_1_full", "batch_4_short", "batch_4_full"}
        for one in figures.values():
            assert 0 < one["p50"] <= one["p95"] <= one["p99"]
            assert one["rows_per_second"] > 0
    assert all(peak > 0 for peak in found["memory_megabytes"].values())
    assert found["machine"]["versions"]["onnxruntime"]
    assert socket.gethostname() not in json.dumps(found)


def test_going_down_each_rung_is_compared_with_the_last_that_stands() -> None:
    verdicts = judge(seconds(fp32=4.0, int8=2.0, int8_static=3.0, int4_embeddings=1.9), TARGET)
    assert {name: one["accepted"] for name, one in verdicts.items()} == {
        "fp32": True,
        "int8": True,
        "int8_static": False,
        "int4_embeddings": True,
    }
    assert verdicts["int8_static"]["reason"].startswith("it is only 0.67 times as fast as int8 at 1 row")
    assert verdicts["int4_embeddings"]["above"] == "int8"


def test_a_rung_below_the_margin_is_refused_and_one_above_it_stands() -> None:
    above = seconds(fp32=1.0, int8=1 / 0.96)
    assert judge(above, Target(1, 0.95, 10, 0.95))["int8"]["accepted"]
    assert not judge(above, Target(1, 1.0, 10, 0.95))["int8"]["accepted"]


def test_a_rung_that_is_faster_within_the_noise_alone_is_refused() -> None:
    noise = 1 + 0.2 * np.random.default_rng(1).standard_normal((2, 100))
    timed = seconds(fp32=1.01, int8=1.0)
    for number, case in enumerate(timed["int8"]):
        timed["fp32"][case], timed["int8"][case] = np.full(100, 1.01), noise[number]
    verdict = judge(timed, TARGET)["int8"]
    assert verdict["speed_up_low"] <= 1 < verdict["speed_up"] < verdict["speed_up_high"]
    assert not verdict["accepted"]
    low, high = f"{verdict['speed_up_low']:.2f}", f"{verdict['speed_up_high']:.2f}"
    assert verdict["reason"] == (
        f"it is perhaps {verdict['speed_up']:.2f} times as fast as fp32 at 1 row ({low} to {high}), "
        "release.min_speedup asks for more than 1"
    )


def test_a_few_disturbed_rounds_do_not_turn_the_verdict() -> None:
    timed = seconds(fp32=2.0, int8=1.0)
    for case in timed["int8"].values():
        case[:4] = 50
    assert judge(timed, TARGET)["int8"]["speed_up"] == 2


def test_short_and_full_rows_are_the_ends_of_what_there_is(ladder: Ladder) -> None:
    rung, texts = timed_rung(ladder.bundle, "fp32"), texts_of(ladder)
    short, full = cases(rung, texts, [3])
    assert (short.name, full.name) == ("batch_3_short", "batch_3_full")
    longest_short, shortest_full = (
        pick(len(row) for row in rung.encode(list(case.texts))) for pick, case in ((max, short), (min, full))
    )
    assert longest_short <= shortest_full
    assert len(short.rows(1000)) == 3


def test_memory_of_what_cannot_be_loaded_is_unknown(ladder: Ladder) -> None:
    assert peak_memory(ladder.bundle, "int2", ["ship"]) is None


def test_energy_is_read_where_the_machine_counts_it(tmp_path: Path) -> None:
    assert package_joules(tmp_path) is None
    for number, used in enumerate((1_500_000, 500_000)):
        (tmp_path / f"intel-rapl:{number}").mkdir()
        (tmp_path / f"intel-rapl:{number}" / "energy_uj").write_text(f"{used}\n")
    assert package_joules(tmp_path) == 2
