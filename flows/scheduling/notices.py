"""Messages by a Prefect block that a person set up: Slack, e-mail, PagerDuty, a webhook and others."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from uuid import UUID

from components.errors import ParameterError, first_line

if TYPE_CHECKING:
    from prefect.blocks.abstract import NotificationBlock


def load_notifier(name: str) -> NotificationBlock:
    """The block TYPE/NAME of the server. Raises ParameterError where there is none, or it sends no messages."""
    from prefect.blocks import notifications  # noqa: F401  (its import makes their types known)
    from prefect.blocks.abstract import NotificationBlock
    from prefect.blocks.core import Block

    hint = "`prefect block ls` lists them; the page Blocks of Prefect makes one, such as slack-webhook/ops"
    try:
        block = Block.load(name)
    # A wrong name, an unknown type and an answer of the server come as different exceptions.
    except Exception as error:
        raise ParameterError(f"notify: {name}: no such block: {first_line(error)[:200]}", hint) from None
    if not isinstance(block, NotificationBlock):
        raise ParameterError(f"notify: {name}: a block that sends no messages", hint)
    return block


def block_id(name: str) -> UUID | None:
    """The id of the block TYPE/NAME. Raises ParameterError where there is none, or it sends no messages."""
    found: UUID | None = load_notifier(name)._block_document_id
    return found


def notify(name: str, subject: str, body: str, logger: logging.Logger | logging.LoggerAdapter[logging.Logger]) -> None:
    """Send a message by the block TYPE/NAME; none without a name. No result depends on it: a failure is a warning."""
    if not name:
        return
    try:
        _ = load_notifier(name).notify(body, subject)  # done when it returns: no event loop runs here
    # Every service has exceptions of its own.
    except Exception as error:
        logger.warning(f"no message by {name}: {first_line(error)[:200]}")
