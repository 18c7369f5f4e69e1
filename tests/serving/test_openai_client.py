"""OpenAI's own client against a server process, with real bundles."""

from __future__ import annotations

from pathlib import Path

import httpx
import numpy as np
import pytest

from benchmarks.peers.environment import KEPT, PEERS, call_script, peer_python
from tests.service_logs import assert_healthy
from tests.serving.asking import texts
from tests.serving.conftest import Generators
from tests.serving.running import running
from tests.small_ladder import Ladder

pytestmark = pytest.mark.slow


@pytest.mark.skipif(
    not (KEPT / "openai" / ".pins").is_file(),
    reason="no environment with OpenAI's client: `make peers` makes it",
)
def test_openais_client_gets_what_it_asks_for(generators: Generators, tmp_path: Path) -> None:
    with running(tmp_path, generators.letters, generators.meanings) as server:
        found = call_script(peer_python("openai"), PEERS / "openai_client.py", server.address, "letters", "meanings")
    assert found["models"] == ["letters", "meanings"]
    assert found["model"] == "letters"
    assert found["finish"] == found["streamed"]["finish"]
    assert found["streamed"]["text"] == found["chat"]
    assert found["streamed"]["role"] == "assistant"
    assert found["streamed"]["tokens"] == found["usage"]["completion_tokens"]
    assert len({*found["second_turn"]}) == 1
    assert len(found["completions"]) == 2
    assert found["completions_streamed"] == found["completions"]
    assert np.allclose(found["embeddings"]["packed"], found["embeddings"]["plain"], atol=1e-4)
    assert found["refused"][0] == "400 n None: 'n' is 1, the only number of choices that is supported"
    assert found["refused"][1].startswith("404 model model_not_found: no model of that name")


def test_bundles_of_all_forms_are_served_together(generators: Generators, ladder: Ladder, tmp_path: Path) -> None:
    with running(tmp_path, ladder.bundle, generators.letters, generators.meanings) as server:
        asked = {"model": "letters", "prompt": ["ship", "門 市"], "max_tokens": 5, "temperature": 0}
        both = httpx.post(f"{server.address}/v1/completions", json=asked).json()
        alone = httpx.post(f"{server.address}/v1/completions", json=asked | {"prompt": "門 市"}).json()
        assert both["choices"][1]["text"] == alone["choices"][0]["text"]
        label = httpx.post(f"{server.address}/v2/models/places/infer", json=texts("ship wave")).json()
        assert label["outputs"][0]["data"] == ["sea"]
        described = httpx.get(f"{server.address}/v2/models/letters").json()
        assert [one["name"] for one in described["inputs"]] == ["text"]
        refused = httpx.post(f"{server.address}/v2/models/letters/infer", json=texts("ship"))
        assert (refused.status_code, "but at /v1/completions" in refused.json()["error"]) == (400, True)


def test_a_client_that_goes_away_frees_its_row(generators: Generators, tmp_path: Path) -> None:
    asked = {"model": "letters", "prompt": "ship", "max_tokens": 40, "stream": True}
    with running(tmp_path, generators.letters) as server:
        for _ in range(3):
            with httpx.stream("POST", f"{server.address}/v1/completions", json=asked) as answer:
                next(answer.iter_lines())
        page = httpx.get(f"{server.address}/metrics").text
        assert 'lianzi_active_rows{model="letters"} 0.0' in page
        assert httpx.post(f"{server.address}/v1/completions", json=asked | {"stream": False}).status_code == 200
    assert_healthy(tmp_path / "serve.log")
