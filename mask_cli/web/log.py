"""Log lines: one JSON object each, on stderr, without phone numbers.

Lines about calls are gathered for a moment and written together: each write would give up
Python's lock, and cost a tenth of a request.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, TextIO

from mask_cli.redaction import redacted_text
from mask_cli.times import format_time

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "mask.web"
_LOG = logging.getLogger(NAME)
_MOMENT, _MOST_LINES = 0.05, 200


_time = lru_cache(maxsize=4)(format_time)
_encoded = json.JSONEncoder(ensure_ascii=False).encode


class JsonLines(logging.Formatter):
    """One JSON object a line; texts of others, such as the server's, have their numbers hidden."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "at": _time(int(record.created)),
            "level": record.levelname.lower(),
        }
        fields: Mapping[str, object] | None = getattr(record, "fields", None)
        if fields is None:
            line["event"] = redacted_text(record.getMessage())
        else:
            line.update(event=record.msg, **fields)
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
        return _encoded(line)


class Gathered(logging.StreamHandler[TextIO]):
    """Keeps lines about calls for a moment; all else is written at once, and they with it."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line."""
        self._lines.append(self.format(record))
        about_calls = record.name == NAME and record.levelno == logging.INFO
        if not about_calls or len(self._lines) >= _MOST_LINES:
            self.flush()
        elif len(self._lines) == 1:
            try:
                asyncio.get_running_loop().call_later(_MOMENT, self.flush)
            except RuntimeError:  # outside the event loop
                self.flush()

    def flush(self) -> None:
        """Write what was gathered."""
        lines, self._lines = self._lines, []
        if lines:
            self.stream.write("\n".join(lines) + "\n")
            self.stream.flush()


def set_up() -> None:
    """Send our lines, and the server's, to stderr."""
    # Nobody reads where in the program a line comes from; finding out costs more than writing it.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 (as logging's docs advise)
    handler = Gathered()
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
