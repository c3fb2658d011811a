"""What of TorchServe's handler no real server shows: a plug-in may answer with any status."""

from __future__ import annotations

import json
import runpy

import pytest

from midspan.deploy import assets
from midspan.errors import MidspanError


class Context:
    """Keeps what the handler tells TorchServe of one answer."""

    def set_response_content_type(self, index, value):
        self.content_type = value

    def set_response_status(self, code, phrase, index):
        self.status = (code, phrase)


@pytest.mark.parametrize(("status", "phrase"), [(404, "Not Found"), (520, "Error")])
def test_an_error_of_any_status_is_an_answer(status, phrase):
    encode = runpy.run_path(str(assets.handler_file()))["_encode"]
    kind = type("OddError", (MidspanError,), {"code": "odd", "status": status})
    context = Context()
    body = encode(kind("the origin is odd"), context, 0)
    assert (context.status, context.content_type) == ((status, phrase), "application/json")
    assert json.loads(body) == {"error": {"code": "odd", "message": "the origin is odd"}}
