from __future__ import annotations

import json
from pathlib import Path

import pytest
from tokenizers import normalizers

from components.deployment.own_tokenizer import check_tokenizer, lowercased, own_tokenizer
from components.deployment.source import read_source
from components.errors import ArtifactError
from tests.models_from_elsewhere import change, family_folder, sentence_folder
from tests.small_language_bundles import TEXTS


@pytest.fixture
def folder(tmp_path: Path, tokenizer_folder: Path) -> Path:
    return family_folder(tmp_path / "model", "bert", tokenizer_folder)


def test_a_tokenizer_that_is_transformers_own_passes(folder: Path) -> None:
    check_tokenizer(read_source(folder), TEXTS)


def test_a_tokenizer_larger_than_the_model_is_refused_in_two_lines(folder: Path) -> None:
    content = json.loads((folder / "tokenizer.json").read_text())
    token = {"id": 330, "content": "<extra>", "single_word": False, "lstrip": False, "rstrip": False}
    content["added_tokens"].append(token | {"normalized": False, "special": True})
    (folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(
        ArtifactError, match="the token '<extra>' with the id 330, the model's embeddings end"
    ) as caught:
        check_tokenizer(read_source(folder), TEXTS)
    assert len(str(caught.value).splitlines()) == 2


def test_a_file_that_gives_other_ids_than_transformers_is_refused_with_the_text(folder: Path) -> None:
    content = json.loads((folder / "tokenizer.json").read_text())
    source = read_source(folder)
    source.tokenizer.normalizer = normalizers.Lowercase()  # what a flag of tokenizer_config.json may have undone
    assert content["normalizer"] is None or content["normalizer"]["type"] != "Lowercase"
    with pytest.raises(ArtifactError, match=r"tokenizer\.json gives [\d ]+ for 'A Small test, of 3 WORDS\.', transf"):
        check_tokenizer(source, TEXTS)


@pytest.mark.parametrize("split", [True, False])
def test_names_of_special_tokens_in_a_text_are_read_as_transformers_reads_them(folder: Path, split: bool) -> None:
    change(folder / "tokenizer_config.json", split_special_tokens=split)
    check_tokenizer(read_source(folder), ["a [SEP] in a text"])


def test_a_tokenizer_that_transformers_cannot_load_is_refused(folder: Path) -> None:
    change(folder / "tokenizer_config.json", tokenizer_class="NoSuchTokenizer", auto_map=None)
    source = read_source(folder)
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ArtifactError, match="transformers cannot load the tokenizer"):
        own_tokenizer(source)


def test_lower_case_comes_before_what_the_tokenizer_does(tmp_path: Path, tokenizer_folder: Path) -> None:
    folder = sentence_folder(tmp_path / "lower", tokenizer_folder, do_lower_case=True)
    source = read_source(folder)
    own = own_tokenizer(source)
    assert own("SHIP Wave")["input_ids"] == own("ship wave")["input_ids"] == source.tokenizer.encode("Ship WAVE").ids
    check_tokenizer(source, TEXTS)
    assert lowercased(None).normalize_str("ÄB") == "äb"
    assert lowercased(normalizers.Replace("a", "b")).normalize_str("A") == "b"
