from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from components.deployment.generation.generation_config import as_ids, callers_settings, read_rules, start_id
from components.deployment.source import Source, read_source
from components.errors import ArtifactError
from tests.models_from_elsewhere import change, write


@pytest.fixture
def folder(encoder_decoder_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(encoder_decoder_bundle.parent / "t5", tmp_path / "model"))


def saying(folder: Path, **settings: Any) -> Source:
    write(folder / "generation_config.json", {"eos_token_id": 2, "decoder_start_token_id": 0, **settings})
    return read_source(folder)


def test_what_changes_an_answer_is_taken_over_and_what_does_nothing_is_not(folder: Path) -> None:
    source = saying(
        folder,
        repetition_penalty=1.2,
        no_repeat_ngram_size=3,
        forced_eos_token_id=2,
        min_length=0,
        num_beams=1,
        use_cache=True,
        bad_words_ids=[[7, 8], [9]],
    )
    assert read_rules(source) == {
        "repetition_penalty": 1.2,
        "no_repeat_ngram_size": 3,
        "forced_eos_token_id": [2],
        "bad_words_ids": [[7, 8], [9]],
        "end_ids": [2],
    }
    assert read_rules(saying(folder)) == {}


def test_an_older_models_config_says_it_where_there_is_no_file_for_it(folder: Path) -> None:
    (folder / "generation_config.json").unlink(missing_ok=True)
    change(folder / "config.json", no_repeat_ngram_size=4, eos_token_id=2)
    assert read_rules(read_source(folder)) == {"no_repeat_ngram_size": 4}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("num_beams", 4),
        ("penalty_alpha", 0.6),
        ("guidance_scale", 1.5),
        ("encoder_repetition_penalty", 1.5),
        ("exponential_decay_length_penalty", [5, 1.2]),
        ("stop_strings", ["."]),
        ("typical_p", 0.9),
        ("sequence_bias", [[[5], 2.0]]),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name_in_two_lines(folder: Path, setting: str, value: Any) -> None:
    with pytest.raises(ArtifactError, match=rf"generation_config\.json: {setting} .* cannot be honoured") as caught:
        read_rules(saying(folder, **{setting: value}))
    assert len(str(caught.value).splitlines()) == 2
    assert f"generate({setting}=" in caught.value.hint


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"suppress_tokens": [5, 900]}, "names the token 900, the model's embeddings end at 329"),
        ({"forced_bos_token_id": 331}, "names the token 331"),
        ({"bad_words_ids": [[]]}, r"bad_words_ids is not to be \[\[\]\]"),
        ({"repetition_penalty": -1.0}, "repetition_penalty is not to be -1.0"),
        ({"min_length": "many"}, "min_length is not to be 'many'"),
    ],
)
def test_a_value_that_is_none_is_refused(folder: Path, settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ArtifactError, match=told):
        read_rules(saying(folder, **settings))


def test_a_file_that_is_no_generation_config_is_refused(folder: Path) -> None:
    (folder / "generation_config.json").write_text("{")
    with pytest.raises(ArtifactError, match=r"generation_config\.json: "):
        read_rules(read_source(folder))


def test_a_callers_settings_are_told(folder: Path) -> None:
    assert callers_settings(saying(folder, temperature=0.7, do_sample=True, max_length=142)) == {
        "do_sample": True,
        "temperature": 0.7,
        "max_length": 142,
    }


def test_the_first_token_of_an_answer_is_found_or_asked_for(folder: Path) -> None:
    assert start_id(saying(folder, decoder_start_token_id=5)) == 5
    assert start_id(saying(folder, decoder_start_token_id=[6, 6])) == 6
    with pytest.raises(ArtifactError, match="decoder_start_token_id has several"):
        start_id(saying(folder, decoder_start_token_id=[6, 7]))
    change(folder / "config.json", decoder_start_token_id=None)
    assert start_id(saying(folder, decoder_start_token_id=None, bos_token_id=3)) == 3
    with pytest.raises(ArtifactError, match="no decoder_start_token_id"):
        start_id(saying(folder, decoder_start_token_id=None))


def test_ends_come_as_one_id_several_or_none() -> None:
    assert (as_ids(3), as_ids([7, 2, 7]), as_ids(None)) == ([3], [2, 7], [])
