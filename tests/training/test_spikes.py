import json
import math

import numpy as np
import pytest

from components.training.spikes import SETTLING, LossSpikeDetector, spike_line


def curve(steps: int, seed: int = 0, noise: float = 0.1) -> list[float]:
    """A falling loss with the noise of small batches."""
    generator = np.random.default_rng(seed)
    return [2 + 6 * math.exp(-step / 100) + noise * generator.standard_normal() for step in range(steps)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("noise", [0.02, 0.1, 0.3])
def test_a_falling_noisy_curve_has_no_spike(seed: int, noise: float) -> None:
    assert LossSpikeDetector().spikes(curve(3000, seed, noise), 1) == []


def test_a_leap_is_found_at_its_step() -> None:
    losses = curve(500)
    losses[299] += 5
    ((step, loss, usual),) = LossSpikeDetector().spikes(losses, 1)
    assert step == 300
    assert loss == losses[299]
    assert usual == pytest.approx(np.mean(losses[250:299]), abs=0.2)


def test_steps_are_counted_from_the_first_given() -> None:
    losses = curve(500)
    losses[299] += 5
    watch = LossSpikeDetector()
    assert watch.spikes(losses[:250], 1) == []
    assert [step for step, _, _ in watch.spikes(losses[250:], 251)] == [300]


def test_the_first_steps_are_not_judged() -> None:
    losses = curve(SETTLING)
    losses[20] += 50
    assert LossSpikeDetector().spikes(losses, 1) == []


def test_a_spike_does_not_spoil_what_is_usual() -> None:
    losses = curve(500)
    plain, spoiled = LossSpikeDetector(), LossSpikeDetector()
    plain.spikes(losses, 1)
    found = spoiled.spikes([*losses[:300], 1e6, 1e6, *losses[300:]], 1)
    assert [step for step, _, _ in found] == [301, 302]
    assert spoiled.mean == pytest.approx(plain.mean, rel=0.02)


def test_a_lasting_rise_becomes_the_usual() -> None:
    losses = curve(500)
    raised = [*losses[:300], *(loss + 20 for loss in losses[300:])]
    told = [step for step, _, _ in LossSpikeDetector().spikes(raised, 1)]
    assert told
    assert max(told) < 350


def test_a_fall_is_no_spike() -> None:
    losses = curve(500)
    losses[299] -= 2
    assert LossSpikeDetector().spikes(losses, 1) == []


@pytest.mark.parametrize("cut", [1, 40, 100, 299, 300, 301])
def test_a_watch_carried_on_from_its_state_says_the_same(cut: int) -> None:
    losses = curve(500)
    losses[299] += 5
    whole = LossSpikeDetector()
    expected = whole.spikes(losses, 1)
    first = LossSpikeDetector()
    found = first.spikes(losses[:cut], 1)
    second = LossSpikeDetector(*json.loads(json.dumps(first.state)))
    found += second.spikes(losses[cut:], cut + 1)
    assert found == expected
    assert second.state == whole.state


def test_a_line_names_step_losses_and_samples() -> None:
    assert spike_line("pretrain", 7, 9.5, 2.25, [4, 1, 3]) == (
        "pretrain: loss spike at step 7: 9.500, usually 2.250; samples 4, 1, 3"
    )
    assert spike_line("pretrain", 7, 9.5, 2.25, range(30)).endswith("samples 0, 1, 2, 3, 4, 5, 6, 7 and 22 more")
