"""Read a Plivo XML document, refusing what the platform would refuse."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from xml.etree import ElementTree as ET

LARGEST = 100 * 1024
"""Bytes; the platform reads no more."""

_XML_TYPES = frozenset({"application/xml", "text/xml"})
_PROMPTS = frozenset({"Speak", "Play", "Wait"})
_SPOKEN = frozenset("break emphasis lang p phoneme prosody s say-as sub w".split())
_CHILDREN: dict[str, frozenset[str]] = {
    "Response": frozenset(
        "Dial DTMF GetDigits GetInput Hangup Play PreAnswer Record Redirect Speak Wait".split()
    ),
    "Dial": frozenset({"Number", "User"}),
    "GetDigits": _PROMPTS,
    "GetInput": _PROMPTS,
    "PreAnswer": _PROMPTS,
    **dict.fromkeys(("Speak", *_SPOKEN), _SPOKEN),
}
# Real elements of the platform that this emulator does not play: better said than ignored.
_NOT_PLAYED = frozenset("Conference Message MultiPartyCall Stream".split())
_NOT_PLAYED_ATTRIBUTES = {
    ("Dial", "confirmKey"),
    ("Dial", "digitsMatch"),
    ("Dial", "digitsMatchBLeg"),
}
_NUMBERS: dict[tuple[str, str], tuple[int, int]] = {
    ("Dial", "timeout"): (1, 86_400),
    ("Dial", "timeLimit"): (1, 999_999),
    ("GetDigits", "numDigits"): (1, 99),
    ("GetDigits", "timeout"): (1, 3_600),
    ("GetDigits", "digitTimeout"): (1, 3_600),
    ("GetDigits", "retries"): (1, 99),
    ("GetInput", "numDigits"): (1, 32),
    ("GetInput", "executionTimeout"): (5, 60),
    ("Hangup", "schedule"): (1, 86_400),
    ("Play", "loop"): (0, 9_999),
    ("Record", "maxLength"): (1, 86_400),
    ("Record", "timeout"): (1, 86_400),
    ("Speak", "loop"): (0, 9_999),
    ("Wait", "length"): (1, 86_400),
}
_BOOLEANS = frozenset("redirect hangupOnStar log playBeep recordSession startOnDialAnswer".split())
_REQUIRED = {("GetInput", "action"), ("GetInput", "inputType")}
_CHOICES = {
    ("GetInput", "inputType"): frozenset({"dtmf", "speech", "dtmf speech"}),
    ("Hangup", "reason"): frozenset({"rejected", "busy"}),
}
_CALLED_URLS = frozenset({"action", "callbackUrl", "confirmSound"})
_LONGEST_NAME = 50
_DEEPEST = 20
_URL = re.compile(r"https?://\S+", re.ASCII)


class Origin(Enum):
    """Which request brought a document; the last digit of the platform's codes follows it."""

    ANSWER = 1
    ACTION = 2
    REDIRECT = 4

    @property
    def unreachable(self) -> int:
        """The code for an address that gives no answer, or not 2xx."""
        return 7010 + self.value

    @property
    def invalid(self) -> int:
        """The code for a document that cannot be obeyed."""
        return 8010 + self.value


class DocumentRefused(Exception):
    """The platform ends the call; `code` is its hangup cause code."""

    def __init__(self, code: int, problem: str) -> None:
        super().__init__(f"{code}: {problem}")
        self.code = code
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Element:
    """An element that passed the checks; attributes have their defaults where they are read."""

    tag: str
    text: str = field(repr=False)
    attributes: dict[str, str] = field(repr=False)
    children: tuple[Element, ...]

    def get(self, name: str, default: str = "") -> str:
        """Return an attribute's text."""
        return self.attributes.get(name, default)

    def number(self, name: str, default: int) -> int:
        """Return an attribute's number; the checks made sure that it is one."""
        return int(self.attributes.get(name, default))

    def true(self, name: str, *, default: bool) -> bool:
        """Return an attribute's truth."""
        return self.attributes.get(name, "true" if default else "false") == "true"

    @property
    def method(self) -> str:
        """The method of `action` or of a redirect."""
        return self.get("method", "POST").upper()


def read_document(body: bytes, content_type: str, origin: Origin) -> tuple[Element, ...]:
    """Return the elements to run in turn, or raise DocumentRefused."""
    if content_type.partition(";")[0].strip().lower() not in _XML_TYPES:
        raise DocumentRefused(origin.invalid, "the content type is not XML")
    if len(body) > LARGEST:
        raise DocumentRefused(origin.invalid, f"more than {LARGEST} bytes")
    try:
        text = body.decode("utf-8-sig")
        if "<!" in text.replace("<!--", "").replace("<![CDATA[", ""):
            raise DocumentRefused(origin.invalid, "declarations are not allowed")
        root = ET.fromstring(text)  # noqa: S314 (no declarations, so no entities)
    except (ET.ParseError, ValueError) as error:
        raise DocumentRefused(origin.invalid, "not well-formed XML in UTF-8") from error
    if root.tag != "Response":
        raise DocumentRefused(origin.invalid, f"the root is {root.tag}, not Response")
    return _read(root, origin, 0).children


def _read(node: ET.Element, origin: Origin, depth: int) -> Element:
    if depth > _DEEPEST:
        raise DocumentRefused(origin.invalid, "nested too deep")
    allowed = _CHILDREN.get(node.tag, frozenset())
    for child in node:
        if child.tag in _NOT_PLAYED:
            raise DocumentRefused(origin.invalid, f"{child.tag} is not played by this emulator")
        if child.tag not in allowed:
            raise DocumentRefused(origin.invalid, f"{child.tag} is not allowed in {node.tag}")
    element = Element(
        node.tag,
        "".join(node.itertext()).strip(),
        dict(node.attrib),
        tuple(_read(child, origin, depth + 1) for child in node),
    )
    _check_content(element, origin)
    for name, value in element.attributes.items():
        _check_attribute(element.tag, name, value, origin)
    return element


def _check_content(element: Element, origin: Origin) -> None:
    tag = element.tag
    if tag == "Dial" and not element.children:
        raise DocumentRefused(origin.invalid, "Dial has no Number")
    if tag in ("Number", "User", "Play", "Redirect", "DTMF") and not element.text:
        raise DocumentRefused(origin.invalid, f"{tag} is empty")
    if tag == "Redirect":
        _check_url(element.text, 7020 + Origin.REDIRECT.value)
    if tag == "Play" and not _URL.fullmatch(element.text):
        raise DocumentRefused(origin.invalid, "Play has no address")
    for owner, name in _REQUIRED:
        if owner == tag and not element.get(name):
            raise DocumentRefused(origin.invalid, f"{tag} has no {name}")


def _check_attribute(tag: str, name: str, value: str, origin: Origin) -> None:
    """Refuse a value out of range; unknown attributes are let pass, as the platform does."""
    if (tag, name) in _NOT_PLAYED_ATTRIBUTES:
        raise DocumentRefused(origin.invalid, f"{name} is not played by this emulator")
    if name in _CALLED_URLS:
        _check_url(value, 7020 + Origin.ACTION.value)
    if name in ("method", "callbackMethod") and value.upper() not in ("GET", "POST"):
        kind = Origin.REDIRECT if tag == "Redirect" else Origin.ACTION
        raise DocumentRefused(7030 + kind.value, f"{name} of {tag} is neither GET nor POST")
    if not _acceptable(tag, name, value):
        raise DocumentRefused(origin.invalid, f"{name} of {tag} has a value that is not allowed")


def _acceptable(tag: str, name: str, value: str) -> bool:
    if (tag, name) in _NUMBERS:
        least, most = _NUMBERS[tag, name]
        return value.isascii() and value.isdigit() and least <= int(value[:19]) <= most
    if name == "digitEndTimeout":
        return value == "auto" or value in map(str, range(2, 11))
    if name in _BOOLEANS:
        return value in ("true", "false")
    if name == "callerName":
        return len(value) <= _LONGEST_NAME
    return value in _CHOICES.get((tag, name), (value,))


def _check_url(url: str, code: int) -> None:
    if not _URL.fullmatch(url):
        raise DocumentRefused(code, "an address does not start with http:// or https://")
