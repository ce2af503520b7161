"""Prometheus and Alertmanager of this machine on the shipped files, and somebody who is notified.

What is changed is written here: where the targets are, how often is looked, that nothing has to hold for longer than a second
(`for`, `group_wait`, `group_interval`), and where secrets and receivers are.
"""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import yaml
from aiohttp import web

from cli.embedded.ports import HOST, free_ports
from tests.running import REPOSITORY, until

SHIPPED = REPOSITORY / "deploy" / "monitoring"
LOOK, HOLDS = "500ms", "1s"


@dataclass(slots=True)
class Receiver:
    """A Slack webhook that keeps what it is sent."""

    port: int
    attachments: list[dict[str, Any]] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, request: web.Request) -> web.Response:
        message = await request.json()
        async with self.changed:
            self.attachments += message["attachments"]
            self.changed.notify_all()
        return web.Response(text="ok")

    async def told(self, title: str, seconds: float) -> dict[str, Any]:
        """The first message of this title, within that time."""
        async with asyncio.timeout(seconds), self.changed:
            await self.changed.wait_for(lambda: title in self.titles())
        return next(each for each in self.attachments if each["title"] == title)

    def titles(self) -> list[str]:
        return [each["title"] for each in self.attachments]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver(free_ports(1)[0])
    application = web.Application()
    application.add_routes([web.post("/hook", receiver.take)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, receiver.port).start()
    try:
        yield receiver
    finally:
        await runner.cleanup()


@dataclass(frozen=True, slots=True)
class Prometheus:
    """The one that runs."""

    client: httpx.AsyncClient
    log: Path

    async def ask(self, path: str, **query: str) -> Any:
        """`data` of an answer of its API. Raises AssertionError with what it said instead."""
        answer = await self.client.get(f"/api/v1/{path}", params=query)
        assert answer.status_code == HTTPStatus.OK, answer.text
        return answer.json()["data"]

    async def scraped(self, jobs: set[str], seconds: float) -> None:
        """Return once all of these have answered; tells what the others say."""
        targets: list[dict[str, Any]] = []

        async def all_up() -> bool:
            targets[:] = (await self.ask("targets"))["activeTargets"]
            return jobs <= {each["labels"]["job"] for each in targets if each["health"] == "up"}

        try:
            await until(all_up, seconds)
        except TimeoutError:
            raise AssertionError([(each["labels"]["job"], each["lastError"]) for each in targets]) from None


@asynccontextmanager
async def watching(folder: Path, targets: Mapping[str, str], key: str, receiver: Receiver) -> AsyncIterator[Prometheus]:
    """Both, running in `folder`. `targets`: host:port by job; `key`: an API key; notifications go to `receiver`."""
    prometheus, alertmanager = (f"{HOST}:{port}" for port in free_ports(2))
    targets = {**targets, "prometheus": prometheus, "alertmanager": alertmanager}
    _write_alertmanager(folder, receiver.port)
    _write_prometheus(folder, targets, key)
    look = "--config.file", "--web.listen-address"
    alerting = ["prometheus-alertmanager", f"{look[0]}=alertmanager.yml", f"{look[1]}={alertmanager}", "--storage.path=am"]
    scraping = ["prometheus", f"{look[0]}=prometheus.yml", f"{look[1]}={prometheus}", "--storage.tsdb.path=tsdb"]
    async with httpx.AsyncClient(base_url=f"http://{prometheus}", timeout=10) as client:
        with _running(folder, [*alerting, "--cluster.listen-address="]):
            await _ready(client, f"http://{alertmanager}")  # else what Prometheus tells first is an error in its log
            with _running(folder, scraping) as log:
                await _ready(client, f"http://{prometheus}")
                yield Prometheus(client, log)


async def _ready(client: httpx.AsyncClient, address: str) -> None:
    async def answers() -> bool:
        try:
            return (await client.get(f"{address}/-/ready")).status_code == HTTPStatus.OK
        except httpx.TransportError:
            return False

    await until(answers)


def quick(group: dict[str, Any]) -> dict[str, Any]:
    """A group of rules whose alerts fire after HOLDS."""
    return {**group, "rules": [rule | ({"for": HOLDS} if "alert" in rule else {}) for rule in group["rules"]]}


def _write_prometheus(folder: Path, targets: Mapping[str, str], key: str) -> None:
    (folder / "key").write_text(key)
    config = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": LOOK, "scrape_timeout": LOOK, "evaluation_interval": LOOK}
    config["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [targets["alertmanager"]]}]}]
    config["scrape_configs"] = [_found(job, targets[job["job_name"]], folder) for job in config["scrape_configs"]]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    (folder / "rules").mkdir()
    for path in SHIPPED.glob("rules/*.yml"):
        groups = yaml.safe_load(path.read_text())["groups"]
        (folder / "rules" / path.name).write_text(yaml.safe_dump({"groups": [quick(group) for group in groups]}))


def _found(job: dict[str, Any], target: str, folder: Path) -> dict[str, Any]:
    found = {name: value for name, value in job.items() if not name.endswith("_sd_configs")}
    if "authorization" in found:
        found["authorization"] = {"credentials_file": str(folder / "key")}
    return {**found, "static_configs": [{"targets": [target]}]}


def _write_alertmanager(folder: Path, port: int) -> None:
    (folder / "hook").write_text(f"http://{HOST}:{port}/hook")
    (folder / "password").write_text("not used")
    config = yaml.safe_load((SHIPPED / "alertmanager.yml").read_text())
    config["global"] |= {
        "slack_api_url_file": str(folder / "hook"),
        "smtp_auth_password_file": str(folder / "password"),
        "smtp_smarthost": f"{HOST}:9",  # nobody: what cannot be mailed must not keep Slack from being told
    }
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": "0s", "group_interval": HOLDS}
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(config))
    shutil.copytree(SHIPPED / "templates", folder / "templates")


@contextmanager
def _running(folder: Path, command: list[str]) -> Iterator[Path]:
    log = folder / f"{command[0]}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield log
    finally:
        process.terminate()
        process.wait(20)
