"""Plivo's XML through its SDK's classes, with their traps shut.

The SDK coerces silently: `redirect="false"` becomes true, a number that is None becomes text.
Everything is typed here and passed by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plivo import plivoxml

if TYPE_CHECKING:
    from mask_cli.models import PhoneNumber

Element = Any
"""One of the SDK's elements; it has no types."""


def document(*elements: Element) -> str:
    """Return a document that runs these elements in turn, then ends the call."""
    response = plivoxml.ResponseElement()
    for element in elements:
        response.add(element)
    text: str = response.to_string(False)  # noqa: FBT003 (pretty; the SDK names it so only inside)
    return text


def speak(text: str, *, voice: str, language: str) -> Element:
    """Say a text."""
    return plivoxml.SpeakElement(text, voice=voice, language=language)


def wait(seconds: int) -> Element:
    """Be silent."""
    return plivoxml.WaitElement(length=seconds)


def hang_up() -> Element:
    """End the call."""
    return plivoxml.HangupElement()


def go_to(url: str) -> Element:
    """Ask another address what comes next."""
    return plivoxml.RedirectElement(url, method="POST")


def dial(
    number: PhoneNumber,
    *,
    caller_id: PhoneNumber,
    ring_timeout: int,
    time_limit: int,
    action: str,
    callback: str,
    notice: str | None = None,
) -> Element:
    """Dial a number; `notice` is an address whose document the callee hears first.

    Both the caller ID and the caller name are set: where one is missing the platform shows the
    caller's own number.
    """
    element = plivoxml.DialElement(
        action=action,
        method="POST",
        timeout=ring_timeout,
        time_limit=time_limit,
        caller_id=caller_id.digits,
        caller_name=caller_id.digits,
        callback_url=callback,
        callback_method="POST",
        confirm_sound=notice,
        redirect=True,
    )
    return element.add(plivoxml.NumberElement(number.digits))


def ask_digits(prompt: Element, *, action: str, most: int, patience: int, between: int) -> Element:
    """Take up to `most` keys, `patience` seconds after the prompt, `between` from key to key.

    No key ends the input, so that the pound key arrives like any other. Without input the next
    element runs and `action` is not asked. Keys are not logged at the platform.
    """
    element = plivoxml.GetInputElement(
        action=action,
        method="POST",
        input_type="dtmf",
        execution_timeout=patience,
        digit_end_timeout=str(between),
        num_digits=most,
        finish_on_key="none",
        redirect=True,
        log=False,
    )
    return element.add(prompt)


def record(*, callback: str, longest: int) -> Element:
    """Record what follows from the moment the dialled party answers."""
    return plivoxml.RecordElement(
        start_on_dial_answer=True,
        redirect=False,
        play_beep=False,
        max_length=longest,
        callback_url=callback,
        callback_method="POST",
    )
