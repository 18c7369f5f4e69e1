from __future__ import annotations

import json
import shutil
from pathlib import Path

from components.artifacts import write_manifest
from components.deployment.description import BundleOptions, describe
from components.deployment.source import read_source
from components.tokenization.special_tokens import CHAT_TEMPLATES


def test_a_decoder_of_the_platform_and_one_with_a_template_are_described_as_they_were_trained(
    decoder_bundle: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(decoder_bundle.parent / "gpt2", folder)
    assert describe(read_source(folder), BundleOptions(), "m")["framed"]
    config = json.loads((folder / "tokenizer_config.json").read_text())
    tokens, template = CHAT_TEMPLATES["chatml"]
    content = json.loads((folder / "tokenizer.json").read_text())
    content["added_tokens"] += [
        {"id": 330 + place, "content": token, "single_word": False, "lstrip": False, "rstrip": False}
        | {"normalized": False, "special": True}
        for place, token in enumerate(tokens)
    ]
    (folder / "tokenizer.json").write_text(json.dumps(content))
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": template}))
    write_manifest(folder, "pretrained", {})
    made = describe(read_source(folder), BundleOptions(max_length=32), "m")
    assert made["chat_template"] == template
    assert made["stop_ids"] == [2, 331]
    assert not made["framed"]
    assert made["max_length"] == 32
    assert made["special_tokens"]["bos_token"] == "[CLS]"
