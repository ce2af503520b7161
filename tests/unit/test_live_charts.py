"""The charts of the page Live show the snapshot's numbers and nothing else."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import plotly.graph_objects as go
import pytest

from dashboard.live import drift_detail, error, sparkline, traffic
from dashboard.live import map as area_map
from dashboard.view import View
from schemas.http.snapshot import AreaValue
from tests.fakes.api_snapshot import City

NOW = 1_795_430_000.0
CITY = City(clock=lambda: NOW)
SNAPSHOT = CITY.snapshot("boot", "15m", None)
VIEW = View(zone=ZoneInfo("Europe/Berlin"))


def data_of(panel: Any) -> Any:
    assert panel.data is not None
    return panel.data


def named(figure: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [trace for trace in figure["data"] if trace.get("name") == name]


@pytest.mark.parametrize("dark", [False, True])
def test_plotly_accepts_every_figure(dark: bool) -> None:
    view = View(theme="dark" if dark else "light")
    areas = CITY.areas()
    drawn = area_map.applied(area_map.geometry(areas, view), area_map.values(data_of(SNAPSHOT.map), areas, view))
    detail = CITY.drift_detail("log_ratio")
    assert detail.histogram is not None
    for figure in (
        traffic.figure(data_of(SNAPSHOT.traffic), view),
        error.figure(data_of(SNAPSHOT.error), view),
        drift_detail.figure(detail, view),
        drift_detail.histogram(detail.histogram, "min", view),
        drawn,
    ):
        go.Figure(figure)


def test_rates_and_lag_are_the_snapshots_and_none_stays_a_gap() -> None:
    told = data_of(SNAPSHOT.traffic)
    figure = traffic.figure(told, VIEW)
    (scored,) = named(figure, "scored")
    assert scored["y"] == [None if value is None else pytest.approx(value, abs=1e-4) for value in told.scored]
    assert None in scored["y"]
    assert scored["connectgaps"] is False
    for partition, values in told.partitions.items():
        (line,) = named(figure, f"partition {partition}")
        assert line["y"] == pytest.approx(values, abs=1e-4)


def test_times_are_the_readers_and_the_hover_tells_utc() -> None:
    told = data_of(SNAPSHOT.traffic)
    figure = traffic.figure(told, VIEW)
    (utc,) = named(figure, "UTC")
    local = told.times[0].astimezone(VIEW.zone).strftime("%Y-%m-%d %H:%M:%S")
    assert utc["x"][0].startswith(local)
    assert utc["customdata"][0] == told.times[0].strftime("%Y-%m-%d %H:%M:%S UTC")


def test_each_event_is_a_mark_at_its_time_with_its_words() -> None:
    told = data_of(SNAPSHOT.traffic)
    figure = traffic.figure(told, VIEW)
    (marks,) = named(figure, "events")
    assert [text for text, _ in marks["customdata"]] == [mark.text for mark in told.marks]
    assert [stripe["x0"] for stripe in figure["layout"]["shapes"]] == marks["x"]


def test_an_event_before_the_axis_is_not_drawn() -> None:
    told = data_of(SNAPSHOT.traffic)
    old = msgspec.structs.replace(told.marks[0], at=told.times[0] - timedelta(seconds=1))
    figure = traffic.figure(msgspec.structs.replace(told, marks=[old]), VIEW)
    assert named(figure, "events")[0]["x"] == []


def test_nothing_counted_yet_is_a_figure_without_points() -> None:
    told = data_of(SNAPSHOT.traffic)
    empty = msgspec.structs.replace(
        told, times=[], received=[], scored=[], quarantined=[], lag_seconds=[], partitions={}, marks=[]
    )
    go.Figure(traffic.figure(empty, VIEW))


def test_before_the_first_event_no_axis_is_drawn() -> None:
    nothing = msgspec.structs.replace(data_of(City().snapshot("boot", "15m", None).error), times=[])
    assert error.figure(nothing, View())["data"] == []
    assert error.figure(nothing, View())["layout"]["xaxis"] == {"visible": False}


def test_what_is_immature_is_never_part_of_the_champions_line() -> None:
    told = data_of(SNAPSHOT.error)
    border = error.first_immature(told)
    assert 0 < border < len(told.times)
    figure = error.figure(told, VIEW)
    (champion,) = named(figure, f"champion v{told.champion}")
    assert champion["y"][border:] == [None] * (len(told.times) - border)
    assert champion["y"][:border] == [None if v is None else pytest.approx(v, abs=1e-4) for v in told.mae_minutes[:border]]
    (young,) = named(figure, "immature")
    assert young["y"][border:] == pytest.approx(told.mae_minutes[border:], abs=1e-4)
    assert young["y"][: border - 1] == [None] * (border - 1)


def test_before_anything_is_mature_all_is_drawn_as_immature() -> None:
    told = msgspec.structs.replace(data_of(SNAPSHOT.error), mature_until=None)
    assert error.first_immature(told) == 0
    assert error.mature(told, told.mae_minutes) == [None] * len(told.times)
    assert error.immature(told, told.mae_minutes) == told.mae_minutes


def test_when_all_is_mature_nothing_is_greyed() -> None:
    told = data_of(SNAPSHOT.error)
    ripe = msgspec.structs.replace(told, mature_until=told.times[-1] + timedelta(minutes=1))
    figure = error.figure(ripe, VIEW)
    assert all("rgba(138" not in shape.get("fillcolor", "") for shape in figure["layout"]["shapes"])


def test_the_challenger_is_dotted_and_only_drawn_while_there_is_one() -> None:
    told = data_of(SNAPSHOT.error)
    (line,) = named(error.figure(told, VIEW), f"challenger v{told.challenger}")
    assert line["line"]["dash"] == "dot"
    alone = msgspec.structs.replace(told, challenger=None)
    assert not [trace for trace in error.figure(alone, VIEW)["data"] if "challenger" in trace["name"]]


def test_coverage_has_its_target_and_training_its_band() -> None:
    told = data_of(SNAPSHOT.error)
    shapes = error.figure(told, VIEW)["layout"]["shapes"]
    assert [shape["y0"] for shape in shapes if shape["yref"] == "y2"] == [0.9]
    (band,) = [shape for shape in shapes if shape["type"] == "rect" and shape["yref"] == "y"]
    assert band["y0"] < told.reference_mae_minutes < band["y1"]


def cell(trips: int, mae: float | None = 3.0) -> AreaValue:
    return AreaValue(
        area=1, trips=trips, trips_per_minute=trips / 15, mean_predicted_minutes=12, mae_minutes=mae, settled=trips
    )


@pytest.mark.parametrize(("trips", "grey"), [(0, False), (1, True), (4, True), (5, False), (60, False)])
def test_a_cell_with_fewer_than_five_trips_is_grey_and_has_no_value(trips: int, grey: bool) -> None:
    assert (area_map.ground_of(cell(trips)) == area_map.FEW) is grey
    assert (area_map.value_of(cell(trips), "trips") is None) is (trips < 5)


def test_the_map_colours_the_chosen_metric_on_its_fixed_scale() -> None:
    found, areas = data_of(SNAPSHOT.map), CITY.areas()
    for metric, told in (("trips", "trips_per_minute"), ("predicted", "mean_predicted_minutes"), ("error", "mae_minutes")):
        values = area_map.values(found, areas, View(metric=metric, end="dropoff"))  # type: ignore[arg-type]
        assert (values["data", 1, "zmin"], values["data", 1, "zmax"]) == found.limits[metric]
        for value in found.dropoffs:
            expected = getattr(value, told) if value.trips >= 5 else None
            assert values["data", 1, "z"][value.area] == (None if expected is None else pytest.approx(expected, abs=1e-3))


def test_updates_of_the_map_leave_geometry_and_zoom_alone() -> None:
    areas = CITY.areas()
    places = {place[:2] + place[2:3] for place in area_map.values(data_of(SNAPSHOT.map), areas, VIEW)}
    assert not {place for place in places if place[0] == "layout" or "geojson" in place}
    patched = area_map.patched(area_map.values(data_of(SNAPSHOT.map), areas, VIEW)).to_plotly_json()
    assert all("geojson" not in step["location"] and "layout" not in step["location"] for step in patched["operations"])


def test_nothing_outside_is_asked_for_by_the_map() -> None:
    figure = area_map.geometry(CITY.areas(), VIEW)
    assert figure["layout"]["map"]["style"] == "white-bg"
    assert "http" not in msgspec.json.encode(figure).decode()


def picture(address: str) -> str:
    return base64.b64decode(address.removeprefix("data:image/svg+xml;base64,")).decode()


def test_a_sparkline_breaks_where_a_value_is_missing() -> None:
    drawn = picture(sparkline.sparkline([1, 2, None, 3, 4, None, 5], colour="#000000"))
    assert drawn.count("<polyline") == 2
    assert drawn.count("<circle") == 1


def test_a_flat_or_empty_sparkline_is_a_picture_all_the_same() -> None:
    assert "<polyline" in picture(sparkline.sparkline([0.0, 0.0], colour="#000000"))
    assert picture(sparkline.sparkline([], colour="#000000")).endswith("</svg>")


def test_both_windows_are_drawn_as_shares_of_their_own_count() -> None:
    assert drift_detail.shares([1, 3]) == [0.25, 0.75]
    assert drift_detail.shares([0, 0]) == [0.0, 0.0]


def test_an_alarm_is_a_line_at_its_moment() -> None:
    detail = CITY.drift_detail("log_ratio")
    figure = drift_detail.figure(detail, View(zone=ZoneInfo("UTC")))
    upright = [shape["x0"] for shape in figure["layout"]["shapes"] if shape["yref"] == "paper"]
    assert upright == [at.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds") for at in detail.alarms]
    assert datetime.fromisoformat(upright[0]).replace(tzinfo=UTC) == pytest.approx(detail.alarms[0], abs=timedelta(seconds=1))


def test_no_time_axis_has_a_range_that_would_undo_a_zoom_by_hand() -> None:
    for figure in (
        traffic.figure(data_of(SNAPSHOT.traffic), VIEW),
        error.figure(data_of(SNAPSHOT.error), VIEW),
        drift_detail.figure(CITY.drift_detail("log_ratio"), VIEW),
    ):
        assert "range" not in figure["layout"]["xaxis"]
        assert figure["layout"]["uirevision"] == "constant"


def test_the_minute_at_which_trust_ends_is_itself_not_trusted() -> None:
    told = data_of(SNAPSHOT.error)
    assert told.mature_until is not None
    assert error.first_immature(told) == told.times.index(told.mature_until)
