"""All colours and the look of figures, in one place. The palette is Okabe and Ito's, which colour-blind people tell apart."""

from dataclasses import dataclass
from typing import Any, Literal

import plotly.graph_objects as go

Level = Literal["ok", "warning", "alarm", "unknown"]

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, YELLOW, GREY = "#56B4E9", "#CC79A7", "#F0E442", "#8A939D"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, YELLOW, GREY)
SCALE = "cividis"  # for amounts: even in lightness, and the same for all kinds of sight
LEVELS: dict[Level, str] = {"ok": GREEN, "warning": ORANGE, "alarm": VERMILLION, "unknown": GREY}
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif'


@dataclass(frozen=True, slots=True)
class Ink:
    """What figures are drawn with on one ground."""

    text: str
    faint: str
    grid: str
    ground: str
    main: str


INKS: dict[bool, Ink] = {
    False: Ink(text="#343a40", faint="#868e96", grid="#e9ecef", ground="#ffffff", main=BLUE),
    True: Ink(text="#ced4da", faint="#868e96", grid="#2f353b", ground="#1b1f24", main=SKY),
}


def ink(*, dark: bool) -> Ink:
    """What to draw with."""
    return INKS[dark]


def layout(*, dark: bool, height: int, **more: Any) -> go.Layout:  # noqa: ANN401 - Plotly's own arguments
    """The calm look that all figures share: no frame, faint lines, one hover box for all series."""
    pen = ink(dark=dark)
    axis = {"gridcolor": pen.grid, "zeroline": False, "linecolor": pen.grid, "tickfont": {"size": 11, "color": pen.faint}}
    base = go.Layout(
        height=height,
        margin={"l": 48, "r": 12, "t": 8, "b": 28},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": 12, "color": pen.text},
        hovermode="x unified",
        hoverlabel={"bgcolor": pen.ground, "bordercolor": pen.grid, "font": {"color": pen.text, "size": 12}},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)", "font": {"size": 11}},
        xaxis=axis,
        yaxis=axis,
        uirevision="constant",
        separators=". ",
    )
    return base.update(more)
