"""The page Dead letters: what was refused, grouped by reason, and one letter in full."""

import base64
import json
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import dash_mantine_components as dmc
from dash.development.base_component import Component

from dashboard.figures import grids, parts, said
from dashboard.frame import words
from schemas.http.trips import DeadLetter, DeadLetters, ReasonCount, Replayed

MAKE_KEY = "tripcast keys create --operator NAME"
WIDTH = 16  # bytes in a line of the hex view
MOST = 4096  # bytes that are shown of one letter
PRINTABLE = range(32, 127)
COLUMNS = [
    grids.text("recorded", "Refused", width=175, hover="recorded_utc"),
    grids.text("reason", "Reason", width=190, hover="description"),
    grids.text("detail", "Detail", width=240, grow=1),
    grids.text("origin", "Topic / partition / offset", width=230),
    grids.text("replayed", "Replayed", width=175),
]


def reasons(found: DeadLetters, zone: ZoneInfo) -> Component:
    """How often each reason occurred."""
    if not found.reasons:
        text = "No event has been refused. What cannot be decoded or cannot be true comes here, with its bytes and the reason."
        return parts.card("Reasons", parts.empty(text))
    rows = [
        (reason_name(one), words.count(one.count), words.count(one.last_hour), parts.when(one.newest_at, zone))
        for one in found.reasons
    ]
    body = parts.table(("Reason", "All", "Last hour", "Newest"), rows, label="Dead letters by reason")
    return parts.card("Reasons", body, note=in_words(found.reasons))


def in_words(found: Sequence[ReasonCount]) -> str:
    """How many in all, and how many of late."""
    every, late = sum(one.count for one in found), sum(one.last_hour for one in found)
    refused = f"{said.several(every, 'event was', 'events were')} refused for {said.several(len(found), 'reason')}"
    return f"{refused}, {words.count(late)} in the last hour."


def reason_name(one: ReasonCount) -> Component:
    """The sentence, and the name that commands and metrics use."""
    name = dmc.Text(one.reason, size="xs", c="dimmed", ff="monospace")
    return dmc.Stack([dmc.Text(said.sentence(one.description), size="sm"), name], gap=0)


def letter_rows(found: DeadLetters, zone: ZoneInfo) -> list[dict[str, Any]]:
    """Rows of the grid, newest first."""
    return [
        {
            "id": str(letter.dead_letter_id),
            "recorded": words.day_and_clock(letter.recorded_at, zone),
            "recorded_utc": words.utc(letter.recorded_at),
            "reason": letter.reason,
            "description": letter.description,
            "detail": letter.detail,
            "origin": f"{letter.topic} / {letter.partition} / {letter.offset}",
            "replayed": "" if letter.replayed_at is None else words.day_and_clock(letter.replayed_at, zone),
        }
        for letter in found.letters
    ]


def reason_choices(found: DeadLetters) -> list[dict[str, str]]:
    """What a replay of a whole reason can be asked for."""
    return [{"value": one.reason, "label": f"{one.reason} ({words.count(one.count)})"} for one in found.reasons]


def opened(letter: DeadLetter, zone: ZoneInfo) -> Component:
    """One letter: where it came from, why it was refused, and, for an operator, what it says."""
    facts = parts.facts(
        [
            ("Reason", f"{said.sentence(letter.description).rstrip('.')} ({letter.reason})"),
            ("Detail", letter.detail or words.NOTHING),
            ("From", f"{letter.topic}, partition {letter.partition}, offset {letter.offset}"),
            ("Record's time", parts.when(letter.record_at, zone, short=False)),
            ("Refused", parts.when(letter.recorded_at, zone, short=False)),
            ("Replayed", "not yet" if letter.replayed_at is None else parts.when(letter.replayed_at, zone, short=False)),
        ]
    )
    return parts.stack(facts, *contents(letter))


def contents(letter: DeadLetter) -> list[Component]:
    """Key, headers and value as bytes; without an operator key they are not there."""
    if letter.headers is None and letter.value_base64 is None and letter.key_base64 is None:
        return [without_key("The bytes and headers of a refused event are shown to operators only.")]
    key, value = _bytes(letter.key_base64), _bytes(letter.value_base64)
    headers = [(name, _text(_bytes(encoded))) for name, encoded in letter.headers or ()]
    shown = parts.table(("Header", "Value"), headers, label="Headers") if headers else parts.empty("The record has no headers.")
    tabs = dmc.Tabs(
        [
            dmc.TabsList(
                [dmc.TabsTab("Text", value="text"), dmc.TabsTab("Hex", value="hex"), dmc.TabsTab("Headers", value="headers")]
            ),
            dmc.TabsPanel(_block(letter.text if letter.text is not None else _text(value)), value="text", pt="sm"),
            dmc.TabsPanel(_block(hex_dump(value or b"")), value="hex", pt="sm"),
            dmc.TabsPanel(shown, value="headers", pt="sm"),
        ],
        value="text",
    )
    sizes = f"Key {_text(key)!s}; value {said.several(len(value or b''), 'byte')}."
    return [parts.sentence(sizes), tabs]


def without_key(why: str) -> Component:
    """How to come by a key."""
    return parts.stack(parts.empty(f"{why} Enter an operator key above; this makes one:", MAKE_KEY))


def question(chosen: int, reason: str | None) -> str:
    """What is asked before a replay."""
    what = f"all dead letters of the reason {reason}" if reason else said.several(chosen, "chosen dead letter")
    return (
        f"Publish {what} to the stream again, byte for byte? Those that were replayed before are left out. It cannot be undone."
    )


def result(done: Replayed) -> str:
    """What a replay did, in words."""
    if not done.chosen:
        return "Nothing was published: no dead letter is left that was not replayed before."
    rest = done.chosen - done.published
    more = (
        f" {words.count(rest)} could not be, and can be tried again."
        if rest
        else " Watch the page Live: they are scored or refused anew."
    )
    return f"{said.several(done.published, 'event was', 'events were')} published again.{more}"


def hex_dump(data: bytes) -> str:
    """Offset, sixteen bytes, and the same as ASCII; at most MOST bytes."""
    lines = []
    for start in range(0, min(len(data), MOST), WIDTH):
        line = data[start : start + WIDTH]
        text = "".join(chr(byte) if byte in PRINTABLE else "." for byte in line)
        lines.append(f"{start:06x}  {line.hex(' '):<{3 * WIDTH - 1}}  {text}")
    if len(data) > MOST:
        lines.append(f"... {words.count(len(data) - MOST)} bytes more")
    return "\n".join(lines) or "no bytes"


def _block(text: str) -> Component:
    return dmc.Code(_pretty(text[:MOST]), block=True, className="bytes")


def _pretty(text: str) -> str:
    """JSON indented; anything else as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text


def _bytes(encoded: str | None) -> bytes | None:
    return None if encoded is None else base64.b64decode(encoded)


def _text(data: bytes | None) -> str:
    if data is None:
        return "none"
    return data.decode("utf-8", errors="replace") or "empty"
