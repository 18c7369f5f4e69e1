from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from components.artifacts import write_manifest
from components.errors import ArtifactError, DataError
from components.runtime.generation.generator import Generator, Row, Sampling, load_generator

PROMPTS = ["ship wave", "海 船 ship wave sail tide anchor wheat", "tower", "harvest soil", "a"]


def greedy(count: int = 40, **changed: Any) -> Sampling:
    given = {"max_tokens": count, "temperature": 0.0, "top_p": 1.0, "seed": None, "stop": ()} | changed
    return Sampling(**given)


def finish(generator: Generator, rows: list[Row]) -> None:
    while going := [row for row in rows if row.finished is None]:
        generator.step(going)


def torch_greedy(model: Any, ids: list[int], count: int) -> list[int]:
    """transformers' own generation, without the end token."""
    import torch

    given = torch.tensor([ids])
    with torch.inference_mode():
        answer = model.generate(given, max_new_tokens=count, do_sample=False, num_beams=1)[0].tolist()
    return [token for token in answer[1 if model.config.is_encoder_decoder else len(ids) :] if token != 2]


@pytest.mark.parametrize("form", ["decoder", "encoder_decoder"])
def test_greedy_answers_are_transformers_token_by_token(form: str, request: pytest.FixtureRequest) -> None:
    generator: Generator = request.getfixturevalue("generator" if form == "decoder" else "translator")
    model = request.getfixturevalue(f"{form}_model")
    for prompt in PROMPTS[:3]:
        ids = generator.encode(prompt)
        row = generator.start(ids, greedy())
        finish(generator, [row])
        assert row.tokens == torch_greedy(model, ids, 40)


def test_in_four_bits_a_greedy_row_does_not_depend_on_its_company_either(decoder_bundle: Path) -> None:
    """int8, whose activations share a scale, promises no such thing: docs/serving.md."""
    generator = load_generator(decoder_bundle, "int4")
    alone = [generator.start(generator.encode(prompt), greedy()) for prompt in PROMPTS]
    for row in alone:
        finish(generator, [row])
    together = [generator.start(generator.encode(prompt), greedy()) for prompt in PROMPTS]
    finish(generator, together)
    assert [row.tokens for row in together] == [row.tokens for row in alone]


@pytest.mark.parametrize("fixture", ["generator", "translator"])
def test_a_greedy_row_does_not_depend_on_its_company(fixture: str, request: pytest.FixtureRequest) -> None:
    generator: Generator = request.getfixturevalue(fixture)
    alone = [generator.start(generator.encode(prompt), greedy()) for prompt in PROMPTS]
    for row in alone:
        finish(generator, [row])
    rows = [generator.start(generator.encode(prompt), greedy()) for prompt in PROMPTS]
    generator.step(rows[:1])  # rows join one after the other, and leave as they end
    generator.step(rows[2::-1])
    generator.step([rows[3], rows[0]])
    finish(generator, rows)
    assert [row.tokens for row in rows] == [row.tokens for row in alone]


def test_a_decoder_that_has_learnt_words_ends_its_answers(generator: Generator) -> None:
    row = generator.start(generator.encode("ship wave"), greedy())
    finish(generator, [row])
    assert row.finished == "stop"
    assert row.text.startswith(" ")
    assert 2 not in row.tokens


def test_seeded_draws_repeat_in_any_company(generator: Generator) -> None:
    by = greedy(temperature=1.2, top_p=0.95, seed=11)
    one = generator.start(generator.encode("sail"), by)
    finish(generator, [one])
    again = generator.start(generator.encode("sail"), by)
    other = generator.start(generator.encode("tower"), greedy(temperature=1.2, seed=12))
    finish(generator, [other, again])
    assert one.tokens == again.tokens


def test_an_answer_ends_at_max_tokens_at_a_stop_text_or_where_the_model_ends(generator: Generator) -> None:
    ids = generator.encode("ship wave")
    short = generator.start(ids, greedy(2))
    finish(generator, [short])
    assert (short.finished, len(short.tokens)) == ("length", 2)
    whole = generator.start(ids, greedy())
    finish(generator, [whole])
    stop = whole.text[2:4]
    stopped = generator.start(ids, greedy(stop=(stop,)))
    finish(generator, [stopped])
    assert (stopped.finished, stopped.text) == ("stop", whole.text[: whole.text.index(stop)])
    full = generator.start([5] * 62, greedy(temperature=5.0, seed=1))
    finish(generator, [full])
    assert full.finished == "stop" or len(full) == generator.max_length


def test_pieces_are_the_answer(generator: Generator) -> None:
    ids = generator.encode("海 船")
    pieces = list(generator.generate(ids, greedy(temperature=1.5, seed=4)))
    row = generator.start(ids, greedy(temperature=1.5, seed=4))
    finish(generator, [row])
    assert "".join(pieces) == row.text
    assert generator.complete(["海 船"], greedy(temperature=1.5, seed=4)) == [row.text]


def test_more_texts_than_a_batch_holds_are_all_completed(generator: Generator) -> None:
    texts = [f"ship {word}" for word in ("wave", "tide", "barn", "lamp", "soil")] * 4
    assert len(texts) > generator.max_batch
    answers = generator.complete(texts, greedy(6))
    assert answers == [generator.complete([text], greedy(6))[0] for text in texts]


def test_a_prompt_is_framed_but_not_ended_and_a_source_is_both(generator: Generator, translator: Generator) -> None:
    assert generator.encode("ship")[0] == 1
    assert generator.encode("ship")[-1] != 2
    assert translator.encode("ship")[-1] == 2


def test_a_chat_without_a_template_is_plain_lines(generator: Generator) -> None:
    ids = generator.chat([{"role": "user", "content": "ship"}])
    assert ids == generator.encode("user: ship\nassistant:")
    assert {"\nuser:", "\nassistant:"} <= set(generator.chat_stops)


@pytest.mark.parametrize(("ids", "told"), [([], "empty prompt"), ([5] * 64, "64 tokens"), ([5] * 900, "900 tokens")])
def test_a_prompt_without_room_for_an_answer_is_refused(generator: Generator, ids: list[int], told: str) -> None:
    with pytest.raises(DataError, match=told):
        generator.start(ids, greedy())


def test_a_finished_row_cannot_go_on(generator: Generator) -> None:
    row = generator.start(generator.encode("ship"), greedy(1))
    generator.step([row])
    with pytest.raises(ValueError, match="finished"):
        generator.step([row])


def test_a_bundle_of_another_form_or_without_the_rung_is_refused(
    decoder_bundle: Path, embedding_bundle: Path, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError, match="no rung 'int3'"):
        load_generator(decoder_bundle, "int3")
    with pytest.raises(ArtifactError, match="a bundle for embedding, not for generation"):
        load_generator(embedding_bundle)
    write_manifest(tmp_path, "bundle", {}, shipped="int8")
    with pytest.raises(ArtifactError, match="a bundle for classification"):
        load_generator(tmp_path)


def test_a_changed_graph_is_refused(decoder_bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(decoder_bundle, tmp_path / "bundle")
    with (tmp_path / "bundle/models/fp32/decoder.onnx").open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(ArtifactError, match=r"decoder\.onnx: changed"):
        load_generator(tmp_path / "bundle")


def test_a_template_of_the_bundle_is_used_and_its_end_of_turn_ends_answers(
    decoder_bundle: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(decoder_bundle, bundle)
    manifest = json.loads((bundle / "manifest.json").read_text())
    kept = {name: value for name, value in manifest.items() if name not in ("kind", "schema", "made_from", "files")}
    template = "{% for m in messages %}{{ bos_token + m.content }}{% endfor %}"
    write_manifest(bundle, "bundle", {}, **kept | {"chat_template": template, "split_special_tokens": False})
    generator = load_generator(bundle)
    assert generator.chat([{"role": "user", "content": "ship"}])[0] == 1
    assert generator.chat_stops == ()
    assert generator.encode("[SEP] ship")[1] != generator.encode("ship")[1]


def ruled(bundle: Path, to: Path, **rules: Any) -> Path:
    """The same bundle with another generation config."""
    shutil.copytree(bundle, to)
    manifest = json.loads((to / "manifest.json").read_text())
    kept = {name: value for name, value in manifest.items() if name not in ("kind", "schema", "made_from", "files")}
    write_manifest(to, "bundle", {}, **kept | {"rules": rules})
    return to


@pytest.mark.parametrize("form", ["decoder", "encoder_decoder"])
def test_a_generation_config_is_gone_by_as_transformers_goes_by_it(
    form: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    import torch

    bundle, model = (request.getfixturevalue(f"{form}_{kind}") for kind in ("bundle", "model"))
    rules = {
        "repetition_penalty": 1.8,
        "no_repeat_ngram_size": 2,
        "suppress_tokens": [30, 31],
        "min_length": 9,
        "forced_eos_token_id": [2],
        "forced_bos_token_id": 7,
        "begin_suppress_tokens": [9],
    }
    generator = load_generator(ruled(bundle, tmp_path / "bundle", **rules, end_ids=[2]), "fp32")
    for prompt in PROMPTS[:3]:
        ids = torch.tensor([generator.encode(prompt)])
        settings = {**rules, "max_new_tokens": 16, "do_sample": False, "num_beams": 1, "eos_token_id": 2}
        with torch.inference_mode():
            answer = model.generate(ids, attention_mask=torch.ones_like(ids), **settings)[0].tolist()
        row = generator.start(ids[0].tolist(), greedy(16))
        finish(generator, [row])
        begun = 1 if model.config.is_encoder_decoder else ids.shape[1]
        assert [*row.tokens, 2] == answer[begun:]
        assert row.finished == ("length" if len(answer) - begun == 16 else "stop")


def test_rules_for_tokens_that_the_model_has_not_are_refused(decoder_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="'rules' names the token 5000, the model has 330"):
        load_generator(ruled(decoder_bundle, tmp_path / "one", suppress_tokens=[5000]))
    with pytest.raises(ArtifactError, match="'rules' is to be an object of repetition_penalty"):
        load_generator(ruled(decoder_bundle, tmp_path / "two", num_beams=4))


def test_answering_needs_neither_torch_nor_transformers(decoder_bundle: Path, root: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from components.runtime.generation.generator import Sampling, load_generator\n"
        "answer = load_generator(Path(sys.argv[1])).complete(['ship'], Sampling(4, 0.0, 1.0, None, ()))\n"
        "assert answer[0]\n"
        "print(sorted({'torch', 'transformers', 'onnx', 'lightning'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program, str(decoder_bundle)]
    assert subprocess.check_output(command, text=True, cwd=root).strip() == "[]"
