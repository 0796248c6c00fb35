"""Draw the sequence picture of `the-call.md` from a real simulation of the packaged scenario.

python docs/call_picture.py [FILE]      default: docs/the-call.svg
"""

from __future__ import annotations

import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from mask_cli.models import PhoneNumber
from mask_cli.providers.base import KeyValueItem
from mask_cli.redaction import redacted_number
from mask_cli.sandbox.simulate_voximplant import NOW, CallPlan, play, typed
from mask_cli.scenario.render import ScenarioSettings, render

CALLER, OTHER, RENTED, ORDER = "12222222222", "13333333333", "14155550100", "12345"
LANES = {"caller": 150, "scenario": 430, "party": 710}
TITLES = {"caller": "courier", "scenario": "scenario", "party": "client"}
WIDTH, TOP, ROW, LINE = 860, 70, 46, 15
_WRAPPED = 36
_STYLE = """text{font:13px sans-serif;fill:#222}.t{fill:#777;font-size:11px}.h{font-weight:bold}
line{stroke:#999}.a{stroke:#1f6feb;stroke-width:1.5;marker-end:url(#h)}.b{fill:#d8f0dc}
rect.p{fill:#fff;stroke:#999}"""


@dataclass(frozen=True)
class Step:
    """One row of the picture: an arrow between two lanes, or a band over some."""

    at: float
    source: str
    target: str
    text: str
    band: bool = False


def steps() -> list[Step]:
    """Play the guide's call; return what is drawn of it."""
    settings = ScenarioSettings(numbers=(PhoneNumber(f"+{RENTED}"),))
    value = f'{{"courier":"{CALLER}","client":"{OTHER}"}}'
    stored = {f"order:{ORDER}": KeyValueItem(f"order:{ORDER}", value, NOW + 86_400)}
    call = play(render(settings), CallPlan(CALLER, RENTED, typed(ORDER)), stored)
    drawn: list[Step] = []
    for event in call.events:
        step = _step(event)
        before = drawn[-1] if drawn else None
        if event["kind"] == "pressed" and before and before.text.startswith("keys"):
            drawn[-1] = Step(before.at, before.source, "scenario", f"{before.text} {event['key']}")
        elif step is not None:
            drawn.append(step)
    return drawn


def _step(event: dict[str, Any]) -> Step | None:
    at, who, kind = event["at"], event.get("who", "scenario"), event["kind"]
    if kind == "bridged":
        length = event["until"] - at
        return Step(at, "caller", "party", f"they hear each other for {length:.0f} s", band=True)
    if kind == "dialled":
        shown = redacted_number(event["caller_id"])
        return Step(at, "scenario", who, f"calls, shows {shown}")
    if kind == "gone":
        theirs = event.get("by") == "them"
        if theirs:
            return Step(at, who, "scenario", "hangs up")
        return Step(at, "scenario", who, "is hung up")
    texts: dict[str, tuple[str, str, str]] = {
        "alerting": (who, "scenario", f"calls {redacted_number(RENTED)}"),
        "answered": (who, "scenario", "answers")
        if who == "party"
        else ("scenario", who, "answers"),
        "rings": (who, "scenario", "rings"),
        "pressed": (who, "scenario", f"keys {event.get('key')}"),
        "heard": ("scenario", who, f"“{event.get('text', 'music')}”"),
        "looked_up": ("scenario", "scenario", f"looks up {event.get('key')}"),
    }
    if kind not in texts:
        return None
    source, target, text = texts[kind]
    return Step(at, source, target, text)


def picture() -> str:
    """Return the picture as SVG."""
    drawn, y = [], TOP
    for step in steps():
        lines = textwrap.wrap(step.text, _WRAPPED)
        y += ROW + LINE * (len(lines) - 1)
        drawn.append(_row(step, lines, y))
    height = y + ROW
    heads = "".join(_head(lane, x, height) for lane, x in LANES.items())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">'
        "<title>A call from the courier to the client, step by step</title>"
        f"<style>{_STYLE}</style><defs>"
        '<marker id="h" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto">'
        '<path d="M0 0L9 4L0 8z" fill="#1f6feb"/></marker></defs>'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>{heads}{"".join(drawn)}</svg>\n'
    )


def _head(lane: str, x: int, height: int) -> str:
    return (
        f'<line x1="{x}" y1="46" x2="{x}" y2="{height - 12}"/>'
        f'<rect class="p" x="{x - 55}" y="18" width="110" height="28" rx="4"/>'
        f'<text class="h" x="{x}" y="37" text-anchor="middle">{TITLES[lane]}</text>'
    )


def _row(step: Step, lines: list[str], y: int) -> str:
    left, right = sorted((LANES[step.source], LANES[step.target]))
    middle = (left + right) / 2
    first = y - 7 - LINE * (len(lines) - 1)
    band = ""
    if step.band:
        band = f'<rect class="b" x="{left}" y="{y - 22}" width="{right - left}" height="30"/>'
    elif step.source == step.target:
        middle = left
        band = f'<rect class="p" x="{left - 80}" y="{y - 22}" width="160" height="24" rx="4"/>'
    else:
        band = (
            f'<line class="a" x1="{LANES[step.source]}" y1="{y}" x2="{LANES[step.target]}"'
            f' y2="{y}"/>'
        )
    words = "".join(
        f'<text x="{middle}" y="{first + LINE * place}" text-anchor="middle">{escape(line)}</text>'
        for place, line in enumerate(lines)
    )
    return f'{band}{words}<text class="t" x="12" y="{y}">{step.at:.1f} s</text>'


def main() -> None:
    """Write the picture."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("the-call.svg")
    file.write_text(picture(), encoding="utf-8")
    print(f"wrote {file}")


if __name__ == "__main__":
    main()
