"""What the doctor says of roles that answer by HTTP, each in its own words."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cli.doctor.bootstrap import alive, none_started, served
from cli.doctor.findings import Verdict
from cli.embedded.ports import HOST, free_ports

Answers = dict[str, tuple[int, object]]


@pytest.fixture
def role() -> Iterator[Callable[[Answers], str]]:
    """Starts a role that answers so; its address."""
    servers: list[HTTPServer] = []

    def start(answers: Answers) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = answers.get(self.path, (404, {}))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_: object) -> None:
                """Nothing."""

        servers.append(HTTPServer((HOST, 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://{HOST}:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_role_that_is_ready_is_well(role: Callable[[Answers], str]) -> None:
    address = role({"/livez": (200, {}), "/readyz": (200, {})})
    assert served("worker", address, "worker").verdict is Verdict.WELL


@pytest.mark.parametrize(
    "body",
    [
        {"ready": False, "missing": {"database": "does not answer"}},
        {"title": "Not ready", "detail": "x", "errors": [{"pointer": "database", "reason": "r", "detail": "does not answer"}]},
    ],
)
def test_what_a_role_lacks_is_told_in_its_own_words(role: Callable[[Answers], str], body: object) -> None:
    finding = served("API", role({"/livez": (200, {}), "/readyz": (503, body)}), "api")
    assert finding.verdict is Verdict.WRONG
    assert "lacks: database (does not answer)" in finding.found


def test_a_role_that_does_not_answer_is_started_by_its_command() -> None:
    finding = alive("board", f"http://{HOST}:{free_ports(1)[0]}", "dashboard")
    assert finding.verdict is Verdict.WRONG
    assert "`tripcast dashboard`" in finding.advice


def test_a_role_that_nobody_has_started_is_worth_a_note_and_no_more(role: Callable[[Answers], str]) -> None:
    nobody = f"http://{HOST}:{free_ports(1)[0]}"
    finding = none_started("API", nobody, "api", port=None)
    assert finding is not None
    assert finding.verdict is Verdict.NOTE
    assert none_started("API", nobody, "api", port=8000) is None  # somebody wanted one: that it is silent is a fault
    assert none_started("API", role({"/livez": (200, {})}), "api", port=None) is None
