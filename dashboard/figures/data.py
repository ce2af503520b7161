"""The page Data: what all stored trips look like together, and what was refused and why."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import dash_mantine_components as dmc
from dash.development.base_component import Component

from dashboard.figures import charts, parts, said
from dashboard.frame import theme, words
from schemas.http.trips import DatabaseStats, Distribution, HourOfTrips, RefusedRows, TripsSummary

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SHORT = 3
FILL = "tripcast load FILE"
TITLES = {"distance": "Distance", "duration": "Duration", "speed": "Speed"}
COLOURS = {"distance": theme.BLUE, "duration": theme.ORANGE, "speed": theme.GREEN}


def numbers(summary: TripsSummary, zone: ZoneInfo) -> Component:
    """How many trips, how long, whose, and from when to when."""
    about = "" if summary.exact else "about, as the database estimates"
    span = f"{said.day(summary.first_pickup_at, zone)} to {said.day(summary.last_pickup_at, zone)}"
    days = days_between(summary)
    return parts.tiles(
        parts.tile("Trips", words.count(summary.trips), about),
        parts.tile("Mean duration", words.minutes(summary.mean_minutes, 1), _of(summary)),
        parts.tile("Vendors", words.count(len(summary.vendors)), vendor_shares(summary)),
        parts.tile("Days", words.count(days), span, means="Days from the first pickup to the last, both counted."),
    )


def days_between(summary: TripsSummary) -> int | None:
    """Calendar days in UTC from the first pickup to the last, both counted."""
    if summary.first_pickup_at is None or summary.last_pickup_at is None:
        return None
    return (summary.last_pickup_at.date() - summary.first_pickup_at.date()).days + 1


def vendor_shares(summary: TripsSummary) -> str:
    """Vendor 1: 47 %, vendor 2: 53 %; at most three."""
    total = sum(summary.vendors.values())
    ordered = sorted(summary.vendors.items(), key=lambda each: -each[1])
    shown = [f"no. {name}: {words.percent(number / total, 0)}" for name, number in ordered[:SHORT] if total]
    return ", ".join(shown) + (" …" if len(ordered) > SHORT else "")


def sampled(summary: TripsSummary) -> str:
    """Says whether means and distributions are of all trips."""
    if summary.sample_share >= 1:
        return "Means and distributions are of all trips."
    return f"Means and distributions are of a random sample: {words.percent(summary.sample_share, 1)} of all trips."


def extremes(hours: Sequence[HourOfTrips]) -> str:
    """The busiest hour and the slowest one, in a sentence."""
    busy = [hour for hour in hours if hour.trips]
    if not busy:
        return "No trip has been stored yet."
    busiest = max(busy, key=lambda hour: hour.trips)
    share = busiest.trips / sum(hour.trips for hour in busy)
    first = f"The busiest hour is {hour_name(busiest.number)}, with {words.percent(share, 1)} of all trips"
    timed = [hour for hour in busy if hour.mean_minutes is not None]
    if not timed:
        return f"{first}."
    slowest = max(timed, key=lambda hour: hour.mean_minutes or 0.0)
    return f"{first}; trips take longest from {hour_name(slowest.number)}, {words.minutes(slowest.mean_minutes, 1)} on average."


def hour_name(number: int) -> str:
    """17:00 to 18:00."""
    return f"{number:02d}:00 to {(number + 1) % 24:02d}:00"


def by_hour(summary: TripsSummary) -> Component:
    """Trips and mean duration by hour of the day, city time."""
    rows = [_row(hour, "hour", str(hour.number)) for hour in summary.hours]
    return _pair("By hour of the day, city time", extremes(summary.hours), rows, "hour", "hour of the day")


def by_weekday(summary: TripsSummary) -> Component:
    """Trips and mean duration by day of the week, city time."""
    rows = [_row(day, "day", WEEKDAYS[day.number][:SHORT]) for day in summary.weekdays]
    return _pair("By day of the week, city time", "By the day of the pickup.", rows, "day", "day of the week")


def distributions(summary: TripsSummary) -> Component:
    """Histograms of distance, duration and speed."""
    each = [_distribution(one) for one in summary.distributions if sum(one.counts)]
    if not each:
        return parts.card("Distributions", parts.empty("No trip has ended yet; distributions need their durations."))
    return parts.card("Distributions", parts.columns(*each, number=3), note=sampled(summary))


def refused(summary: TripsSummary) -> Component:
    """What was kept out, from files and from the stream, and why."""
    left = _refusals("Rows of files", summary.refused_rows, "No row of a file was refused.")
    right = _refusals("Events of the stream", summary.quarantined, "No event was quarantined.")
    note = "Nothing is dropped in silence: every refused row and event is counted with its reason."
    return parts.card("What was rejected and why", parts.columns(left, right), note=note)


def storage(stats: DatabaseStats) -> Component:
    """What the tables hold, largest first."""
    rows = [
        (table.name, f"{'' if table.exact else 'about '}{words.count(table.rows)}", words.data(table.bytes))
        for table in sorted(stats.tables, key=lambda table: -table.bytes)[:10]
    ]
    note = f"{words.data(stats.bytes)} in all, {said.several(stats.connections, 'connection')}."
    return parts.card("In the database", parts.table(("Table", "Rows", "Size"), rows, label="Tables"), note=note)


def nothing_yet() -> Component:
    """Before the first trip."""
    text = "No trip has been stored yet. The simulated city or a file of past trips fills this page:"
    return parts.card("Trips", parts.empty(text, FILL))


def _of(summary: TripsSummary) -> str:
    return "of all ended trips" if summary.sample_share >= 1 else f"of a {words.percent(summary.sample_share, 1)} sample"


def _row(part: HourOfTrips, key: str, name: str) -> dict[str, object]:
    mean = None if part.mean_minutes is None else round(part.mean_minutes, 2)
    return {key: name, "trips": part.trips, "minutes": mean}


def _pair(title: str, note: str, rows: list[dict[str, object]], key: str, of: str) -> Component:
    trips = charts.bars(rows, key, {"trips": theme.BLUE}, label=f"Trips by {of}")
    mean = charts.bars(rows, key, {"minutes": theme.ORANGE}, label=f"Mean duration by {of}, minutes", formatter="minutes")
    return parts.card(
        title, parts.columns(charts.titled("Trips", trips), charts.titled("Mean duration, minutes", mean)), note=note
    )


def _distribution(one: Distribution) -> Component:
    title = f"{TITLES.get(one.name, one.name.capitalize())}, {one.unit}"
    words_below = dmc.Text(f"{said.sentence(charts.in_words(one))}.", size="xs", c="dimmed")
    chart = charts.histogram(one, COLOURS.get(one.name, theme.BLUE))
    return dmc.Stack([dmc.Text(title, size="sm", fw=500), chart, words_below], gap="xs")


def _refusals(title: str, rows: Sequence[RefusedRows], none: str) -> Component:
    heading = dmc.Text(title, size="sm", fw=500)
    if not rows:
        return dmc.Stack([heading, parts.empty(none)], gap="xs")
    ordered = sorted(rows, key=lambda row: -row.count)
    body = parts.table(
        ("Reason", "Count"), [(_reason(row), words.count(row.count)) for row in ordered], label=f"{title}: refused"
    )
    return dmc.Stack([heading, body], gap="xs")


def _reason(row: RefusedRows) -> Component:
    return dmc.Stack(
        [dmc.Text(said.sentence(row.description), size="sm"), dmc.Text(row.reason, size="xs", c="dimmed", ff="monospace")],
        gap=0,
    )
