"""What changes on the page Live since a browser last looked: the one place that knows what it has."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from dashboard.drawings import Drawings
from dashboard.frame.status import GREYED, Shown
from dashboard.live import cards, drift, error, lines, panels, retraining, traffic, trips
from dashboard.live import map as area_map
from dashboard.page import Known, News, Props
from dashboard.view import View
from schemas.http.snapshot import AreaMap, Areas, LatestTrips, Panel, Snapshot

FIGURES = ("traffic", "error")
Draw = Callable[[Any, View, Snapshot], Mapping[str, Props]]
DRAWN: Mapping[str, Draw] = {
    "cards": lambda data, view, snapshot: cards.draw(data, view, snapshot.taken_at),
    "traffic": lambda data, view, _: {"traffic": {"figure": traffic.figure(data, view)}},
    "error": lambda data, view, _: {"error": {"figure": error.figure(data, view)}},
    "drift": lambda data, view, _: drift.draw(data, view),
    "retraining": lambda data, view, _: retraining.draw(data, view),
}


@dataclass(frozen=True, slots=True)
class Scene:
    """One look at one snapshot."""

    view: View
    state: Shown
    snapshot: Snapshot
    areas: Areas | None
    drawings: Drawings

    @property
    def scope(self) -> str:
        """What is asked for: data of another scope must never stay on the page."""
        return f"{self.view.period} {self.view.area}"

    def mark(self, found: Panel[Any], *more: object) -> str:
        """What a panel is drawn from."""
        view = self.view
        return "|".join(map(str, (self.scope, view.theme, view.zone.key, *more, self.snapshot.boot, found.version)))


def changes(scene: Scene, known: Known) -> News:
    """Properties of what changed since `known`; of a page that knows nothing, of everything."""
    props: dict[str, Props] = {}
    after: dict[str, str] = {}
    for name in panels.TITLES:
        found: Panel[Any] = getattr(scene.snapshot, name)
        if found.data is None and _has_drawn(known, name, scene):
            after |= {key: known[key] for key in (name, f"note-{name}", f"{name}-frame", "ground") if key in known}
            continue  # a panel that had data is never blanked
        props |= _noted(name, found, scene, known, after)
        if found.data is not None:
            props |= _drawn(name, found, scene, known, after)
    props |= _around(scene, known, after)
    return News(props, after)


def _has_drawn(known: Known, name: str, scene: Scene) -> bool:
    return known.get(name, "").startswith(f"{scene.scope}|")


def _noted(name: str, found: Panel[Any], scene: Scene, known: Known, after: dict[str, str]) -> Mapping[str, Props]:
    stale = scene.state if scene.state in GREYED or found.error else ""
    mark = after[f"note-{name}"] = f"{scene.mark(found)}|{stale}|{found.error}"
    return {} if known.get(f"note-{name}") == mark else panels.note(name, found, scene.state, scene.view)


def _drawn(name: str, found: Panel[Any], scene: Scene, known: Known, after: dict[str, str]) -> Mapping[str, Props]:
    if name == "map":
        return _map(found, scene, known, after)
    mark = after[name] = scene.mark(found)
    if name in FIGURES:
        has_axes = found.data is not None and bool(found.data.times)
        after[f"{name}-frame"] = f"{scene.scope} {scene.view.theme} {has_axes}"
    if known.get(name) == mark:
        return {}
    if name == "trips":
        return _trips(cast("LatestTrips", found.data), scene, mark, known.get(name))
    drawn = scene.drawings.of((name, mark), lambda: DRAWN[name](found.data, scene.view, scene.snapshot))
    return _figure(name, drawn, known, after) if name in FIGURES else drawn


def _figure(name: str, drawn: Mapping[str, Props], known: Known, after: dict[str, str]) -> Mapping[str, Props]:
    """A chart whole at first, then only its lines: its layout stays the browser's, with the reader's zoom."""
    if known.get(f"{name}-frame") != after[f"{name}-frame"]:
        return drawn
    return {name: {"figure": lines.renewed(drawn[name]["figure"])}}


def _map(found: Panel[Any], scene: Scene, known: Known, after: dict[str, str]) -> Mapping[str, Props]:
    """The whole figure once, then only values."""
    view, areas, data = scene.view, scene.areas, cast("AreaMap", found.data)
    mark = after["map"] = scene.mark(found, view.metric, view.end)
    ground = f"{view.theme} {view.webgl}" if areas is not None else ""
    after["ground"] = ground
    if known.get("map") == mark and known.get("ground") == ground:
        return {}
    key = mark if areas is not None else f"{mark} unnamed"
    table = scene.drawings.of(("table", key), lambda: area_map.table(data, areas, view))
    if areas is None or not view.webgl:
        return table
    values = scene.drawings.of(("map", mark), lambda: area_map.values(data, areas, view))
    if known.get("ground") == ground:
        return {**table, "map": {"figure": area_map.patched(values)}}
    return {**table, "map": {"figure": area_map.applied(area_map.geometry(areas, view), values)}}


def _trips(data: LatestTrips, scene: Scene, mark: str, had: str | None) -> Mapping[str, Props]:
    """What is new since the rows that the browser has; all rows where we no longer know those."""
    before: LatestTrips | None = scene.drawings.kept(("rows", had)) if had else None
    scene.drawings.of(("rows", mark), lambda: data)
    if before is None:
        rows = scene.drawings.of(("trips", mark), lambda: trips.rows_of(data, scene.view))
        return {"trips-news": {"data": {"rows": rows}}}
    made = scene.drawings.of(("trips", had, mark), lambda: trips.transaction(before, data, scene.view))
    return {"trips-news": {"data": made}} if any(made.values()) else {}


def _around(scene: Scene, known: Known, after: dict[str, str]) -> Mapping[str, Props]:
    """The chip of the chosen area, and the page's state for its looks."""
    props: dict[str, Props] = {}
    after["chip"] = f"{scene.view.area} {scene.areas is None}"
    if known.get("chip") != after["chip"]:
        props["chosen"] = {"children": area_map.chip(scene.areas, scene.view)}
    after["state"] = scene.state
    if known.get("state") != scene.state:
        props["page-live"] = {"data-state": scene.state}
    return props
