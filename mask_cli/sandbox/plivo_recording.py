"""What the voice platform tells of a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mask_cli.sandbox.plivo_document import Element
    from mask_cli.sandbox.plivo_scene import Form


def recorded(element: Element, recording: str, seconds: float) -> Form:
    """Return what the addresses of a Record element are told; nothing is there to be fetched."""
    url = f"https://media.plivo.com/{recording}.{element.get('fileFormat', 'mp3')}"
    return [
        ("RecordUrl", url),
        ("RecordingID", recording),
        ("RecordingDuration", str(int(seconds))),
        ("RecordingDurationMs", str(int(seconds * 1000))),
    ]
