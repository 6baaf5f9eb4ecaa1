"""Serve the lab in a process of its own until somebody kills it: ``python -m tests.real.served PORT``.

Every answered request is added, as one line, to the file that the second argument names.
"""

from __future__ import annotations

import json
import sys
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from evenhand.models.causal import CausalModel
from evenhand.opening import open_model
from tests.support.server import Handler, State


def main() -> None:
    """Serve for good, one line of the log a request."""
    port, log = int(sys.argv[1]), Path(sys.argv[2])
    model = open_model("lab:causal")
    assert isinstance(model, CausalModel)
    state = State(model)

    class Logged(Handler):
        def _answer(self, body: dict[str, Any]) -> None:
            super()._answer(body)
            with log.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(body, sort_keys=True) + "\n")

    Logged.state = state
    with ThreadingHTTPServer(("127.0.0.1", port), Logged) as server:
        print("ready", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
