"""Put the board together and run it."""

import asyncio
from dataclasses import dataclass

import structlog
import uvicorn

from adapters.health.bounded_http import BoundedHttp
from adapters.health.process import register_process, watched_loop
from adapters.health.uvicorn_server import Server
from dashboard.app import create_application
from dashboard.calls import Calls
from dashboard.client import Client
from dashboard.metrics import Metrics
from dashboard.page import Context
from dashboard.pages import PAGES
from dashboard.poller import Poller
from dashboard.readings import Readings
from dashboard.settings import BoardSettings
from dashboard.web import Web, security_headers

log = structlog.get_logger("tripcast.dashboard")
LEAVE_SECONDS = 3


@dataclass(frozen=True, slots=True)
class Board:
    """The board with nothing running: `web` answers browsers while `poller` runs."""

    web: Web
    poller: Poller
    client: Client
    metrics: Metrics


def create_board(settings: BoardSettings) -> Board:
    """Wire the board."""
    key = settings.board_api_key.get_secret_value() if settings.board_api_key else None
    client = Client(settings.api, key, settings.board_seconds)
    poller = Poller(client)
    app = create_application(Context(settings, client, poller, Readings(client)), PAGES)
    metrics = Metrics(poller)
    register_process(metrics.registry)
    web = Web(app.server, Calls(app._callback_list), metrics, security_headers(app.csp_hashes()))
    return Board(web, poller, client, metrics)


def run(settings: BoardSettings) -> None:
    """Serve the board until SIGTERM or SIGINT."""
    asyncio.run(serve(settings))


async def serve(settings: BoardSettings) -> None:
    """Serve the board until told to stop or cancelled."""
    board = create_board(settings)
    config = uvicorn.Config(
        board.web,
        host=settings.board_host,
        port=settings.board_port,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        http=BoundedHttp,
        proxy_headers=False,
        timeout_graceful_shutdown=LEAVE_SECONDS,
    )
    async with board.client, watched_loop(board.metrics.registry):
        polling = asyncio.create_task(board.poller.run())
        log.info("board_started", host=settings.board_host, port=settings.board_port, api=settings.api)
        try:
            await Server(config).serve()
        finally:
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)
