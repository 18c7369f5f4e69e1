"""components.tracking.environment: the machine's class and the packages, and nothing that names the machine."""

from __future__ import annotations

import json
import socket
from importlib import metadata

from components.tracking.environment import environment_text


def test_an_environment_has_the_processor_and_every_package_and_no_name_of_the_host() -> None:
    text = environment_text()
    found = json.loads(text)
    assert found["machine"]["processor"]
    assert found["packages"]["torch"] == metadata.version("torch")
    assert socket.gethostname() not in text
