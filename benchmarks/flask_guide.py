"""What the guide does, in Flask: a dictionary of who talks to whom, and a Dial.

`FLASK_GUIDE` names a file of `caller,callee` lines. No signature, nothing stored.
"""

from __future__ import annotations

import os
from pathlib import Path

from flask import Flask, Response, request
from plivo import plivoxml


def _pairs() -> dict[str, str]:
    with Path(os.environ["FLASK_GUIDE"]).open(encoding="ascii") as lines:
        return dict(line.rstrip("\n").split(",") for line in lines)


PAIRS = _pairs()
app = Flask(__name__)


@app.post("/plivo/answer")
def answer() -> Response:
    """Dial the other one, or say that there is none."""
    response = plivoxml.ResponseElement()
    callee = PAIRS.get(request.form["From"])
    if callee is None:
        response.add(plivoxml.SpeakElement("Sorry, we do not know you."))
    else:
        dial = plivoxml.DialElement(caller_id=request.form["To"])
        response.add(dial.add(plivoxml.NumberElement(callee)))
    return Response(response.to_string(), mimetype="application/xml")
