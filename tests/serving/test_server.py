"""components.serving.server: how a server process stops, and what it does under load. Real processes, real signals."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from tests.serving.asking import texts
from tests.serving.conftest import Generators
from tests.serving.running import Running, free_port, running
from tests.small_ladder import Ladder

INFER = "/v2/models/places/infer"
BODY = json.dumps(texts("ship wave whale tide")).encode()

pytestmark = pytest.mark.slow


def half_a_request(server: Running) -> socket.socket:
    """A connection on which a request has begun and half of its body has come."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    head = f"POST {INFER} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {len(BODY)}\r\n\r\n"
    connection.sendall(head.encode() + BODY[:20])
    time.sleep(0.5)
    return connection


def read_all(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def test_a_terminated_server_finishes_what_it_accepted_and_refuses_the_rest(ladder: Ladder, tmp_path: Path) -> None:
    with running(tmp_path, ladder.bundle) as server:
        connection = half_a_request(server)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert server.process.poll() is None
        assert httpx.get(f"{server.address}/v2/health/ready").status_code == 503
        assert httpx.get(f"{server.address}/v2/health/live").status_code == 200
        assert httpx.post(f"{server.address}{INFER}", content=BODY).status_code == 503
        connection.sendall(BODY[20:])
        answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert b'"data":["sea"]' in answer
        assert server.process.wait(60) == 0


def test_what_does_not_finish_in_time_does_not_hold_the_server(ladder: Ladder, tmp_path: Path) -> None:
    with running(tmp_path, ladder.bundle, "--drain", "0.5") as server:
        connection = half_a_request(server)
        server.process.send_signal(signal.SIGTERM)
        answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b'{"error":"the server has stopped before this was answered; request ' in answer
        assert server.process.wait(60) == 0
    log = (tmp_path / "serve.log").read_text()
    assert "1 requests did not finish within 0.5 s" in log
    assert "Traceback" not in log
    assert "ERROR" not in log


def test_a_chat_template_without_end_holds_neither_its_request_nor_the_server(
    generators: Generators, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(generators.letters, bundle)
    manifest = json.loads((bundle / "manifest.json").read_text())
    template = "{{ 7 ** (messages | length * 99999999) }}"
    (bundle / "manifest.json").write_text(json.dumps(manifest | {"chat_template": template}))
    asked = {"model": "letters", "messages": [{"role": "user", "content": "a"}]}
    with running(tmp_path, bundle, "--timeout", "0.8", "--drain", "0") as server:

        def ask() -> httpx.Response:
            return httpx.post(f"{server.address}/v1/chat/completions", json=asked, timeout=60)

        answer = ask()
        assert (answer.status_code, answer.json()["error"]["message"]) == (503, "no answer within 0.8 s")
        with ThreadPoolExecutor() as pool:
            under_way = pool.submit(ask)
            child = await_child(server)
            server.process.send_signal(signal.SIGTERM)
            assert under_way.result().status_code == 503
            assert server.process.wait(60) == 0
        child.wait(60)
    log = (tmp_path / "serve.log").read_text()
    assert "Traceback" not in log
    assert "ERROR" not in log


def await_child(server: Running) -> psutil.Process:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if children := psutil.Process(server.process.pid).children():
            return children[0]
        time.sleep(0.005)
    raise AssertionError("no process renders")


def test_a_full_disk_under_the_logs_is_counted_and_costs_no_answer(ladder: Ladder, tmp_path: Path) -> None:
    words = ("--log-requests", "1", "--log-file", "/dev/full")
    with running(tmp_path, ladder.bundle, *words) as server:
        for _ in range(3):
            assert httpx.post(f"{server.address}{INFER}", content=BODY).status_code == 200
        counted = 'lianzi_log_dropped_rows_total{reason="unwritable"} 3.0'
        deadline = time.monotonic() + 20
        while counted not in httpx.get(f"{server.address}/metrics").text and time.monotonic() < deadline:
            time.sleep(0.05)
        assert counted in httpx.get(f"{server.address}/metrics").text
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
    log = (tmp_path / "serve.log").read_text()
    assert log.count("/dev/full: No space left on device; rows are left out while that is so") == 1
    assert "3 rows more are not in /dev/full" in log
    assert "Traceback" not in log


def test_a_second_signal_ends_the_server_at_once(ladder: Ladder, tmp_path: Path) -> None:
    with running(tmp_path, ladder.bundle) as server:
        connection = half_a_request(server)
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(15) == 128 + signal.SIGTERM
        connection.close()


def test_a_body_that_does_not_come_ends_with_408(ladder: Ladder, tmp_path: Path) -> None:
    with running(tmp_path, ladder.bundle, "--timeout", "0.8") as server:
        answer = read_all(half_a_request(server))
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'{"error":"the body did not arrive within 0.8 s"}' in answer
        assert httpx.post(f"{server.address}{INFER}", content=BODY).status_code == 200


def test_clients_that_go_away_leave_nothing_under_way(ladder: Ladder, tmp_path: Path) -> None:
    with running(tmp_path, ladder.bundle) as server:
        for _ in range(5):
            half_a_request(server).close()
        assert httpx.post(f"{server.address}{INFER}", content=BODY).status_code == 200
        # The client has its answer a moment before the server is through with the request, and says so.
        until = time.monotonic() + 60
        while "200 POST infer" not in (tmp_path / "serve.log").read_text() and time.monotonic() < until:
            time.sleep(0.05)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(60) == 0
    log = (tmp_path / "serve.log").read_text()
    assert "stopping: 0 requests to finish" in log
    assert "Traceback" not in log


def test_overload_gives_answers_429_and_503_and_nothing_else(ladder: Ladder, tmp_path: Path) -> None:
    codes: list[int] = []
    many = json.dumps(texts(*["ship wave whale tide"] * 8)).encode()

    def ask(address: str) -> None:
        with httpx.Client(timeout=60) as client:
            for _ in range(20):
                codes.append(client.post(f"{address}{INFER}", content=many).status_code)

    with running(tmp_path, ladder.bundle, "--max-queue", "8", "--max-rows", "8", "--no-access-log") as server:
        asking = [threading.Thread(target=ask, args=(server.address,)) for _ in range(32)]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join(120)
        assert len(codes) == 32 * 20
        assert set(codes) <= {200, 429, 503}
        assert {200, 429} <= set(codes)
        assert httpx.post(f"{server.address}{INFER}", content=many).status_code == 200


def test_a_killed_server_is_back_at_once(ladder: Ladder, tmp_path: Path) -> None:
    """Five seconds on a machine of its own; here others are at work."""
    port = free_port()
    with running(tmp_path, ladder.bundle, port=port) as server:
        server.process.kill()
        server.process.wait(10)
    begun = time.monotonic()
    with running(tmp_path, ladder.bundle, port=port) as server:
        assert httpx.post(f"{server.address}{INFER}", content=BODY).status_code == 200
        assert time.monotonic() - begun < 20


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_tls_and_a_key(ladder: Ladder, tmp_path: Path) -> None:
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    paths = ["-keyout", "key.pem", "-out", "cert.pem", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*words, *paths], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "keys").write_text("a-key-of-some-length\n")
    options = ("--tls-cert", "cert.pem", "--tls-key", "key.pem", "--api-key-file", "keys")
    with running(tmp_path, ladder.bundle, *options, scheme="https") as server:
        trusted = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        with httpx.Client(verify=trusted) as client:
            assert client.post(f"{server.address}{INFER}", content=BODY).status_code == 401
            key = {"authorization": "Bearer a-key-of-some-length"}
            assert client.post(f"{server.address}{INFER}", content=BODY, headers=key).status_code == 200
    assert "a-key-of-some-length" not in (tmp_path / "serve.log").read_text()
