"""The page System: roles, machine, connections, lag, settings and builds."""

from collections.abc import Mapping

from dash.development.base_component import Component

from dashboard import asks, part
from dashboard.figures import grids, notice, parts, system
from dashboard.page import Context, Known, News, Page, Props
from dashboard.part import Part, Scene
from dashboard.poller import Seen
from dashboard.view import View
from schemas.http.health import System
from schemas.http.snapshot import Snapshot

GRID = "system-settings-grid"


def _roles(found: System, scene: Scene) -> Component:
    return system.roles(found.roles, scene.now)


def _machine(found: System, _scene: Scene) -> Component:
    return system.machine(found)


def _lag(snapshot: Snapshot, _scene: Scene) -> Component:
    return system.lag(snapshot.cards)


def _pools(found: System, _scene: Scene) -> Component:
    return system.pools(found.pools)


def _builds(found: System, scene: Scene) -> Component:
    return system.builds(found.builds, scene.zone)


def _settings(found: System, _scene: Scene) -> Mapping[str, Props]:
    return {GRID: {"rowData": system.setting_rows(found.settings)}}


def _frame() -> Component:
    note = "What is in force in the API, and where each value comes from. Secrets are masked."
    grid = grids.grid(GRID, system.SETTING_COLUMNS, (), "name", height=420, search=True)
    return parts.card("Configuration", grid, note=note)


PARTS = (
    Part("system-roles", (asks.SYSTEM,), part.component("system-roles", _roles)),
    Part("system-machine", (asks.SYSTEM,), part.component("system-machine", _machine), notice.one),
    Part("system-lag", (asks.SNAPSHOT,), part.component("system-lag", _lag), notice.one),
    Part("system-pools", (asks.SYSTEM,), part.component("system-pools", _pools), notice.one),
    Part("system-settings", (asks.SYSTEM,), _settings, frame=_frame),
    Part("system-builds", (asks.SYSTEM,), part.component("system-builds", _builds), notice.one),
)


async def _layout(context: Context, view: View) -> Component:
    roles, machine, lag, pools, settings, builds = await part.opened(context, view, PARTS)
    head = parts.head("System", "Every role, what it uses, and how it is set.")
    return parts.page("system", head, roles, machine, parts.columns(lag, pools), settings, builds)


async def _news(context: Context, view: View, _seen: Seen, known: Known) -> News:
    return await part.news(context, view, PARTS, known)


PAGE = Page("system", "/system", "System", _layout, news=_news)
