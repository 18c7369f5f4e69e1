from __future__ import annotations

from components.deployment.rows import Rows
from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.word_tags import WordTags
from components.tasks.token_classification import TokenClassification

TAGGER = TokenClassification(("O", "B-LOC", "I-LOC"))


def rows(*tagged: tuple[str, str]) -> Rows:
    return Rows([text for text, _ in tagged], TAGGER.targets([{"tags": tags.split()} for _, tags in tagged]))


TRAIN = rows(("in Paris", "O B-LOC"), ("Paris, in May", "B-LOC O O O"), ("of May", "O O"))


def test_a_word_has_its_most_frequent_tag_and_one_never_seen_the_usual_one() -> None:
    found = WordTags.tuned(TuningData(TAGGER, TRAIN, rows(("Paris", "B-LOC")), "en"))
    assert TAGGER.values(found.predict(["Paris in Rome", "May"])) == [["B-LOC", "O", "O"], ["O"]]
    assert found.choice.metrics() == {"lower_case": 0, "words": 5}
    assert found.megabytes() > 0


def test_letters_count_only_where_that_is_better_on_the_validation_rows() -> None:
    found = WordTags.tuned(TuningData(TAGGER, TRAIN, rows(("PARIS", "B-LOC")), "en"))
    assert str(found.choice) == "5 words, in lower case"
    assert TAGGER.values(found.predict(["paris"])) == [["B-LOC"]]
