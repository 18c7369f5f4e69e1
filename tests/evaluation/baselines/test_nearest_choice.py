from __future__ import annotations

import numpy as np
import pytest

from components.deployment.rows import Rows
from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.nearest_choice import NearestChoice
from components.tasks.multiple_choice import MultipleChoice

TASK = MultipleChoice(("score",))
WORDS = ["ship", "wave", "tower", "lamp"]
RIGHT = {
    "overlap": [((f"the {one} is near", f"a {one}", "a road"), 0) for one in WORDS]
    + [((f"the {one} is near", "a meadow", f"a {one}"), 1) for one in WORDS],
    "longest": [(("which?", "no", "all of them", "x"), 1), (("which?", "every one", "no"), 0)],
    "shortest": [(("which?", "no", "all of them"), 0), (("which?", "every one", "no"), 1)],
    "place": [(("which?", "ab", "cd", "ef"), 2)] * 3 + [(("which?", "ab", "cd", "efg"), 0)],
}


@pytest.mark.parametrize("rule", RIGHT)
def test_the_rule_is_the_one_that_the_validation_rows_ask_for(rule: str) -> None:
    texts, targets = zip(*RIGHT[rule], strict=True)
    rows = Rows(list(texts), np.array(targets))
    fitted = NearestChoice.tuned(TuningData(TASK, rows, rows, "en"))
    assert fitted.choice.name == rule
    assert fitted.choice.metrics()["rule"] >= 0
    assert (fitted.predict(texts) == rows.targets).mean() >= 0.75
