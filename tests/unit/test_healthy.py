"""The image's health check: it finds the role that runs, asks its route on its port, and says what it found."""

import importlib.util
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from types import ModuleType
from typing import ClassVar

import pytest

from tests.images.compose import ROOT


@pytest.fixture(scope="module")
def healthy() -> ModuleType:
    spec = importlib.util.spec_from_file_location("healthy", ROOT / "deploy" / "images" / "healthy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Role(BaseHTTPRequestHandler):
    """Alive as long as `answer` is 200."""

    answer: ClassVar[int] = 200
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(self.answer)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(Role, "asked", [])
    with HTTPServer(("127.0.0.1", 0), Role) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("words", "role"),
    [
        (["/opt/tripcast/bin/python", "/opt/tripcast/bin/tripcast", "worker", ""], "worker"),
        (["/sbin/docker-init", "--", "tripcast", "dashboard"], "dashboard"),
        (["sh", "-ec", "exec mlflow server", "/opt/tripcast/bin/mlflow", "server"], "mlflow"),
        (["tripcast", "prepare"], None),
    ],
)
def test_the_role_is_the_word_that_names_one(healthy: ModuleType, words: list[str], role: str | None) -> None:
    assert healthy.role(words) == role


def test_a_role_is_well_when_its_route_says_so(
    healthy: ModuleType, port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRIPCAST_WORKER_PORT", str(port))
    assert healthy.main(["worker"]) == 0
    monkeypatch.setattr(Role, "answer", 503)
    assert healthy.main(["worker"]) == 1
    assert Role.asked == ["/livez", "/livez"]
    assert capsys.readouterr().out == "worker /livez: 200\nworker /livez: 503\n"


def test_a_role_that_does_not_answer_is_not_well(
    healthy: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRIPCAST_API_PORT", "1")
    assert healthy.main(["api"]) == 1
    assert "no answer (ConnectionRefusedError)" in capsys.readouterr().out


def test_a_job_is_judged_by_how_it_ends(healthy: ModuleType) -> None:
    assert healthy.main(["tripcast", "prepare"]) == 0
