"""The page API: is it well, how much is asked, and what a request looks like (from the API's own OpenAPI document)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import dash_mantine_components as dmc
from dash.development.base_component import Component

from dashboard.figures import parts, said
from dashboard.figures.parts import Tone
from dashboard.frame import words
from schemas.http.health import ApiTraffic, Check, Health

STATES: Mapping[str, tuple[str, Tone]] = {
    "ok": ("All is well", "good"),
    "degraded": ("It serves, and something is missing", "warning"),
    "down": ("It cannot serve", "bad"),
}
NAMES = {
    "database": "Database",
    "champion": "Model loaded",
    "prediction_log": "Prediction log",
    "broker": "Kafka",
    "registry": "Model registry",
    "worker": "Worker",
}
BAD_ERRORS = 0.01
LINKS = (
    ("/docs", "Try the routes"),
    ("/redoc", "Read the reference"),
    ("/health", "Health"),
    ("/openapi.json", "OpenAPI document"),
)


def health(found: Health, zone: ZoneInfo) -> Component:
    """The verdict, and each thing that is looked at all the time."""
    text, tone = STATES[found.status]
    ready = all(check.ok for check in found.checks if check.needed)
    head = parts.tiles(
        parts.tile("Health", found.status, text, tone=tone),
        parts.tile(
            "Ready", "yes" if ready else "no", "answers predictions" if ready else "answers 503 until it is", tone=_tone(ready)
        ),
        _check_tile(found, "champion", "Model loaded"),
        _check_tile(found, "database", "Database"),
    )
    rows = [
        (
            NAMES.get(check.name, check.name),
            state(check),
            check.detail or words.NOTHING,
            parts.when(check.since, zone),
            checked(check, zone),
        )
        for check in found.checks
    ]
    body = parts.table(("What", "State", "Detail", "Since", "Last check"), rows, label="Checks")
    note = f"Version {found.version}, running since {said.minute(found.started_at, zone)}."
    return parts.card("Health", head, body, note=note)


def state(check: Check) -> Component:
    """A check's state; whether it is needed to serve decides how bad it is."""
    if check.ok:
        return parts.badge("well", "good")
    return parts.badge("missing, needed" if check.needed else "missing", "bad" if check.needed else "warning")


def checked(check: Check, zone: ZoneInfo) -> str:
    """When a thing was looked at last."""
    return words.clock(check.checked_at, zone)


def traffic(found: ApiTraffic) -> Component:
    """What was asked in the last minute."""
    head = parts.tiles(
        parts.tile("Requests", f"{words.number(found.requests_per_second, 1)} /s", "mean of the last minute"),
        parts.tile("Latency, half", words.seconds(found.p50_seconds), "half of the requests are faster"),
        parts.tile("Latency, 99 %", words.seconds(found.p99_seconds), "one in a hundred is slower"),
        parts.tile("Errors", words.percent(found.error_share, 2), "of all answers", tone=error_tone(found.error_share)),
    )
    line = dmc.Sparkline(data=found.requests, h=64, curveType="linear", color="blue", fillOpacity=0.15, strokeWidth=1.5)
    picture = parts.described(line, f"Requests a second over the last {len(found.requests)} seconds, {peak(found)}")
    routes = sorted(found.by_route.items(), key=lambda each: -each[1])
    body = parts.table(
        ("Route", "Requests in the last minute"), [(name, words.count(n)) for name, n in routes], label="Requests by route"
    )
    if not routes:
        body = parts.empty("Nothing was asked in the last minute.")
    caption = dmc.Text(f"Requests a second over the last minute; {peak(found)}", size="xs", c="dimmed")
    return parts.card("Traffic", head, dmc.Stack([picture, caption], gap=4), body)


def error_tone(share: float) -> Tone | None:
    """From one in a hundred on it is bad, any is worth a look."""
    return None if not share else "bad" if share >= BAD_ERRORS else "warning"


def peak(found: ApiTraffic) -> str:
    """The most in one second, in words."""
    return f"at most {words.count(max(found.requests, default=0))} in one second."


@dataclass(frozen=True, slots=True)
class Input:
    """One field of a request: its dotted name, what it must be, whether it must be there, and what it means."""

    name: str
    kind: str
    required: bool
    meaning: str


def inputs(document: Mapping[str, Any], path: str = "/predict") -> list[Input]:
    """The fields of a route's request body as its OpenAPI document tells them, nested ones with a dot; none if it does not."""
    try:
        schema = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    except KeyError:
        return []
    return list(_fields(document, schema, "", required=True))


def requested(found: Sequence[Input]) -> Component:
    """The inputs of a prediction as a table."""
    rows = [(dmc.Code(one.name), one.kind, "yes" if one.required else "no", dmc.Box(one.meaning, miw=200)) for one in found]
    if not rows:
        return parts.card("What a prediction needs", parts.empty("The OpenAPI document does not describe POST /predict."))
    body = parts.table(("Field", "Type", "Required", "Limits and meaning"), rows, label="Inputs of POST /predict")
    return parts.card("What a prediction needs", body, note="Body of POST /predict, as the API's own OpenAPI document has it.")


def links(api: str) -> Component:
    """Where to go on; `api` is the address that people's browsers reach."""
    each = [parts.link(f"{title} ↗", f"{api}{path}") for path, title in LINKS]
    return parts.card("Go on", dmc.Group(each, gap="lg"), note=f"The API listens at {api}.")


def _check_tile(found: Health, name: str, title: str) -> Component:
    check = next((check for check in found.checks if check.name == name), None)
    if check is None:
        return parts.tile(title, "unknown", "is not looked at")
    return parts.tile(title, "yes" if check.ok else "no", check.detail or ("answers" if check.ok else ""), tone=_tone(check.ok))


def _tone(good: bool) -> Tone:  # noqa: FBT001 - the tone of a yes or a no
    return "good" if good else "bad"


def _fields(document: Mapping[str, Any], schema: Mapping[str, Any], prefix: str, *, required: bool) -> Iterator[Input]:
    schema = resolved(document, schema)
    if schema.get("type") == "object" or "properties" in schema:
        must = set(schema.get("required", ()))
        for name, each in schema.get("properties", {}).items():
            yield from _fields(document, each, f"{prefix}.{name}" if prefix else name, required=required and name in must)
    else:
        yield Input(prefix, _kind(schema), required, _meaning(schema))


def resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema with what it refers to in its place; what it says itself wins."""
    if isinstance(whole := schema.get("allOf"), list) and len(whole) == 1:
        schema = {**whole[0], **{name: value for name, value in schema.items() if name != "allOf"}}
    if "$ref" not in schema:
        return schema
    found: Any = document
    for step in str(schema["$ref"]).removeprefix("#/").split("/"):
        found = found[step]
    return {**resolved(document, found), **{name: value for name, value in schema.items() if name != "$ref"}}


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("format") or schema.get("type") or "any"
    return "time (RFC 3339)" if kind == "date-time" else str(kind)


def _meaning(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    limits = f"{low} to {high}" if low is not None and high is not None else ""
    return ". ".join(text.rstrip(".") for text in (limits, str(schema.get("description", ""))) if text)
