from __future__ import annotations

import asyncio
from typing import Any

import pytest

from components.serving.limits import Limits
from components.serving.request_error import RequestError
from components.serving.service import Service, while_there


def test_work_is_given_up_once_the_client_has_gone() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(20)
        finally:
            ended.append("given up")

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.05)
        return {"type": "http.disconnect"}

    with pytest.raises(RequestError, match="the client went away"):
        asyncio.run(while_there(receive, work()))
    assert ended == ["given up"]


def test_work_that_is_done_is_returned_while_the_client_is_there() -> None:
    async def work() -> int:
        return 7

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(20)
        return {"type": "http.disconnect"}

    assert asyncio.run(while_there(receive, work())) == 7


def test_nobody_is_let_in_before_there_is_a_model() -> None:
    with pytest.raises(RequestError, match="no model is loaded yet"):
        Service(Limits()).admit()
