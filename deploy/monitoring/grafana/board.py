"""Makes the Grafana board: `make grafana` writes what this prints; `make check` says when the two differ."""

import json
import sys

from charts import ROWS, Chart
from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueGraphMode,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    GridPos,
    Threshold,
    ThresholdsMode,
)

SOURCE = DataSourceRef(type_val="prometheus", uid="tripcast-prometheus")
WIDTH, HEIGHT, COLUMNS = 8, 7, 24


def board() -> dashboard.Dashboard:
    """All of it; panels are numbered and placed here, so that the same definitions give the same file."""
    docs = dashboard.TextBoxVariable("docs").label("Documents").default_value("")
    made = (
        dashboard.Dashboard("tripcast")
        .uid("tripcast")
        .description("What the stream, the model, the closed loop and the API do. Made by deploy/monitoring/grafana/board.py.")
        .tags(["tripcast"])
        .readonly()
        .refresh("10s")
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(docs)
    )
    number = top = 0
    for row in ROWS:
        number += 1
        made.with_row(dashboard.Row(row.title).id(number).grid_pos(place(0, top, COLUMNS, 1)))
        top += 1
        for index, chart in enumerate(row.charts):
            number += 1
            x, y = index % (COLUMNS // WIDTH) * WIDTH, top + index // (COLUMNS // WIDTH) * HEIGHT
            made.with_panel(panel(chart).id(number).grid_pos(place(x, y, WIDTH, HEIGHT)))
        top += -(-len(row.charts) // (COLUMNS // WIDTH)) * HEIGHT
    return made


def panel(chart: Chart) -> "timeseries.Panel | stat.Panel":
    """Its datasource, queries, unit, thresholds and the way to the runbook."""
    made = number_panel() if chart.number else line_panel(chart)
    made.title(chart.title).datasource(SOURCE).unit(chart.unit).description(chart.text or f"See the runbook: {chart.alert}.")
    made.links([runbook(chart.alert)]).thresholds(thresholds(chart.limits))
    for name, line in zip("ABCDE", chart.lines, strict=False):
        made.with_target(
            prometheus.Dataquery().ref_id(name).expr(line.expr).legend_format(line.legend).datasource(SOURCE).range()
        )
    return made


def number_panel() -> stat.Panel:
    """One large number and its course."""
    return stat.Panel().graph_mode(BigValueGraphMode.AREA)


def line_panel(chart: Chart) -> timeseries.Panel:
    """Lines over time, with the limits drawn."""
    made = timeseries.Panel().line_width(1).fill_opacity(8).min(0)
    made.legend(common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).show_legend(show_legend=True))
    made.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    if chart.limits:
        made.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.LINE))
    return made


def thresholds(limits: tuple[float, ...]) -> dashboard.ThresholdsConfig:
    """Green, and from the limits on yellow and red."""
    colours = ("yellow", "red") if len(limits) > 1 else ("red",)
    steps = [
        Threshold(value=None, color="green"),
        *(Threshold(value, colour) for value, colour in zip(limits, colours, strict=False)),
    ]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def runbook(alert: str) -> dashboard.DashboardLink:
    """The section that says what to do; the variable `docs` is where the documents are served, with a slash at its end."""
    link = dashboard.DashboardLink(f"Runbook: {alert}").type(DashboardLinkType.LINK)
    return link.url(f"${{docs}}runbook.html#{alert.lower()}").target_blank(target_blank=True)


def place(x: int, y: int, width: int, height: int) -> GridPos:
    """On Grafana's grid of 24 columns."""
    return GridPos(h=height, w=width, x=x, y=y)


if __name__ == "__main__":
    json.dump(board().build(), sys.stdout, cls=JSONEncoder, indent=2, sort_keys=True)
    sys.stdout.write("\n")
