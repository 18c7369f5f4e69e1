from __future__ import annotations

from components.evaluation.spread import spreads, told
from components.tasks.metrics import Accuracy, MacroF1


def test_several_seeds_have_a_mean_a_spread_and_a_chosen_one() -> None:
    scores = {17: {"macro_f1": 0.8, "accuracy": 0.9}, 18: {"macro_f1": 0.84, "accuracy": 0.9}}
    found = spreads(scores, 18, (MacroF1(2), Accuracy()))
    assert (found["count"], found["chosen"]) == (2, 18)
    assert found["macro_f1"] == {"mean": 0.82, "sd": 0.028284, "17": 0.8, "18": 0.84}
    assert found["accuracy"]["sd"] == 0
    assert told(found["macro_f1"]) == "0.8200 ± 0.0283"
