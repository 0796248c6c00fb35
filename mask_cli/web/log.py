"""Log lines: one JSON object each, on stderr, without phone numbers."""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING

from mask_cli.redaction import redacted_text
from mask_cli.times import format_time

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "mask.web"
_LOG = logging.getLogger(NAME)


class JsonLines(logging.Formatter):
    """One JSON object a line; texts of others, such as the server's, have their numbers hidden."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "at": format_time(int(record.created)),
            "level": record.levelname.lower(),
        }
        fields: Mapping[str, object] | None = getattr(record, "fields", None)
        if fields is None:
            line["event"] = redacted_text(record.getMessage())
        else:
            line.update(event=record.msg, **fields)
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line, ensure_ascii=False)


def set_up() -> None:
    """Send our lines, and the server's, to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in (NAME, "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(logging.INFO)
        logger.propagate = False


def event(name: str, **fields: object) -> None:
    """Log what happened; `fields` are ours, of known shape, and hold no number."""
    _LOG.info(name, extra={"fields": fields})


def alarm(name: str, error: BaseException) -> None:
    """Log what somebody has to look at."""
    text = redacted_text(str(error))[:300]
    _LOG.error(name, extra={"fields": {"error": type(error).__name__, "text": text}})
