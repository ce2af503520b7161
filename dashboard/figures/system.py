"""The page System: which roles are up, what they use, what is set, and the latest builds."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import dash_mantine_components as dmc
from dash.development.base_component import Component

from dashboard.figures import grids, parts, said
from dashboard.figures.parts import Tone
from dashboard.frame import words
from schemas.http.health import Build, Builds, Pool, RoleStatus, Setting, System
from schemas.http.snapshot import Cards, Panel

HIGH, FULL = 0.8, 0.95  # shares from which on a bar is coloured
SETTING_COLUMNS = [
    grids.text("name", "Setting", width=260),
    grids.text("value", "Value", width=220, grow=1),
    grids.text("origin", "From", width=160),
]
BUILD_TONES: Mapping[str, Tone] = {"success": "good", "failure": "bad", "cancelled": "quiet", "timed_out": "bad"}


def machine(found: System) -> Component:
    """What the machine has left."""
    memory = found.machine_memory_used_bytes / found.machine_memory_bytes if found.machine_memory_bytes else 0.0
    disk = found.disk_used_bytes / found.disk_bytes if found.disk_bytes else 0.0
    head = parts.tiles(
        gauge("CPU", found.machine_cpu_percent / 100, "of all cores"),
        gauge("Memory", memory, f"{words.data(found.machine_memory_used_bytes)} of {words.data(found.machine_memory_bytes)}"),
        gauge("Disk", disk, f"{words.data(found.disk_used_bytes)} of {words.data(found.disk_bytes)}"),
        parts.tile("Database", words.data(found.database_bytes), "on disk"),
    )
    return parts.card("The machine", head, note=f"Environment {found.environment}; the machine that the API runs on.")


def gauge(name: str, share: float, below: str) -> Component:
    """A share as number and bar; the bar's colour warns when little is left."""
    tone: Tone = "bad" if share >= FULL else "warning" if share >= HIGH else "accent"
    bar = dmc.Progress(value=min(100.0, 100 * share), color=parts.COLOURS[tone], size="sm", mt=4, **{"aria-label": name})
    return parts.tile(name, [words.percent(share, 0), bar], below)


def roles(found: Sequence[RoleStatus], now: datetime) -> Component:
    """Every role as it tells of itself."""
    headings = ("Role", "State", "Detail", "Version", "Running", "CPU", "Memory", "Loop lag")
    rows = [
        (
            role.name,
            role_state(role),
            role.detail or words.NOTHING,
            role.version or words.NOTHING,
            words.NOTHING if role.started_at is None else words.age((now - role.started_at).total_seconds()),
            words.NOTHING if role.cpu_percent is None else f"{role.cpu_percent:.0f} %",
            words.data(role.memory_bytes),
            words.seconds(role.loop_lag_seconds),
        )
        for role in found
    ]
    return parts.card("Roles", parts.table(headings, rows, label="Roles"), note=standing(found))


def role_state(role: RoleStatus) -> Component:
    """Up or down in a word."""
    if role.up is None:
        return parts.badge("not known", "quiet")
    if not role.up:
        return parts.badge("down", "bad")
    return parts.badge("up, not ready", "warning") if role.ready is False else parts.badge("up", "good")


def standing(found: Sequence[RoleStatus]) -> str:
    """One sentence about all roles."""
    down = [role.name for role in found if role.up is False]
    if down:
        return f"Down: {', '.join(down)}."
    unknown = [role.name for role in found if role.up is None]
    known = len(found) - len(unknown)
    rest = f" Nobody has said where to ask: {', '.join(unknown)}." if unknown else ""
    return f"{said.several(known, 'role is', 'roles are')} up.{rest}"


def pools(found: Sequence[Pool]) -> Component:
    """Connections of the API to the database."""
    rows = [(pool.name, f"{pool.size - pool.idle} of {pool.most}", words.count(pool.idle), _pool_bar(pool)) for pool in found]
    body: Component = (
        parts.table(("Pool", "In use", "Idle", ""), rows, label="Connection pools") if rows else parts.empty("None is open.")
    )
    return parts.card("Connections to the database", body)


def lag(panel: Panel[Cards]) -> Component:
    """How far the worker is behind the stream."""
    cards = panel.data
    if cards is None:
        return parts.card("Lag of the stream", parts.empty(panel.error or "It has not been measured yet."))
    events, seconds = cards.lag_events.value, cards.lag_seconds.value
    numbers = parts.tiles(
        parts.tile("Lag", _events(events), "published and not yet scored"),
        parts.tile("Behind by", words.seconds(seconds), "age of the oldest of them"),
        columns=2,
    )
    return parts.card("Lag of the stream", numbers)


def _events(number: float | None) -> str:
    return words.NOTHING if number is None else said.several(round(number), "event")


def builds(found: Builds, zone: ZoneInfo) -> Component:
    """The latest runs of the continuous integration, or how to see them here."""
    if not found.builds:
        return parts.card("Latest builds", parts.empty(found.hint or "No build is known."))
    rows = [
        (
            build_state(build),
            parts.link(build.name, build.url),
            build.branch,
            dmc.Code(build.commit[:8]),
            parts.when(build.at, zone),
        )
        for build in found.builds
    ]
    note = found.hint or ""
    return parts.card(
        "Latest builds", parts.table(("Result", "Build", "Branch", "Commit", "When"), rows, label="Builds"), note=note
    )


def build_state(build: Build) -> Component:
    """How a build ended, or how far it is."""
    word = build.conclusion or build.status
    return parts.badge(word.replace("_", " "), BUILD_TONES.get(word, "accent"))


def setting_rows(found: Sequence[Setting]) -> list[dict[str, Any]]:
    """Rows of the settings' grid; secrets come masked."""
    return [{"name": one.name, "value": one.value, "origin": one.origin} for one in found]


def _pool_bar(pool: Pool) -> Component:
    share = (pool.size - pool.idle) / pool.most if pool.most else 0.0
    return dmc.Progress(
        value=100 * share, size="sm", w=120, color=parts.COLOURS["accent"], **{"aria-label": f"{pool.name} in use"}
    )
