"""Ask a webhook as Plivo does: signed, form or query, retried, twice if wanted."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urldefrag, urlencode

from mask_cli.plivo_signature import signature_headers

Form = Sequence[tuple[str, str]]
Reply = tuple[int, str, bytes]
"""Status, content type, body."""
Send = Callable[[str, str, dict[str, str], Form], Reply]
"""The transport: method, address, headers, form. It raises OSError where nobody answers."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How faithfully requests arrive.

    `duplicate`: twice, the first answer is used; `lost`: twice, as the first answer was too late.
    """

    duplicate: bool = False
    lost: bool = False


@dataclass(slots=True)
class Webhook:
    """Signs and sends; a request that fails to connect or to be read is repeated as it was.

    How often is `rc` in the address's fragment, 1 unless said; 5xx is not repeated unless `rp`
    says so. The seed makes the nonces, so that a call can be played again.
    """

    send: Send = field(repr=False)
    token: str = field(repr=False)
    main_token: str | None = field(default=None, repr=False)
    delivery: Delivery = field(default_factory=Delivery)
    seed: int = 0
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 (nonces only have to differ)

    def ask(self, method: str, url: str, parameters: Form) -> Reply | None:
        """Return the reply, None when there was none after all repetitions."""
        address, fragment = urldefrag(url)
        form = parameters
        if method == "GET":
            address += ("&" if "?" in address else "?") + urlencode(parameters)
            form = ()
        nonce = "".join(self._random.choices("0123456789", k=20))
        headers = signature_headers(
            method, address, form, nonce, token=self.token, main_token=self.main_token
        )
        options = dict(parse_qsl(fragment))
        repeated = set(options.get("rp", "ct,rt").split(","))
        reply = None
        for _ in range(1 + _repetitions(options)):
            reply = self._once(method, address, headers, form)
            if not _worth_repeating(reply, repeated):
                break
        return reply

    def _once(self, method: str, url: str, headers: dict[str, str], form: Form) -> Reply | None:
        try:
            first = self.send(method, url, headers, form)
            if self.delivery.duplicate or self.delivery.lost:
                second = self.send(method, url, headers, form)
                return second if self.delivery.lost else first
        except OSError:
            return None
        return first


def _repetitions(options: dict[str, str]) -> int:
    wanted = options.get("rc", "1")
    return min(int(wanted), 5) if wanted.isascii() and wanted.isdigit() else 1


def _worth_repeating(reply: Reply | None, repeated: set[str]) -> bool:
    if reply is None:
        return bool(repeated & {"ct", "rt", "all"})
    kind = f"{reply[0] // 100}xx"
    return kind in ("4xx", "5xx") and bool(repeated & {kind, "all"})
