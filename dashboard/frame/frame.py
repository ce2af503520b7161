"""What stands around every page: header with the status pill and the controls, navigation, banner, and the one clock."""

from collections.abc import Sequence

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from dashboard.frame.attributes import attributes
from dashboard.frame.status import LEVEL, Banner, Line, Shown
from dashboard.frame.theme import FONT
from dashboard.page import Page
from dashboard.view import DEFAULT_PERIOD, PERIODS

TICK_MILLISECONDS = 1000
HEADER = {"height": {"base": 92, "sm": 56}}
NAVBAR = {"width": 176, "breakpoint": "sm", "collapsed": {"mobile": True}}
MANTINE = {"fontFamily": FONT, "primaryColor": "blue", "defaultRadius": "sm"}


def frame(pages: Sequence[Page]) -> Component:
    """The whole document; `page` is filled when the address is known."""
    return dmc.MantineProvider(
        id="mantine",
        theme=MANTINE,
        forceColorScheme="light",
        children=[
            dcc.Location(id="url", refresh=False),
            dcc.Store(id="view"),
            dcc.Store(id="route"),
            dcc.Store(id="known", data={}),
            dcc.Interval(id="tick", interval=TICK_MILLISECONDS),
            html.A("Skip to the page", href="#page", className="skip"),
            dmc.AppShell(
                [_header(), _navigation(pages), dmc.AppShellMain([html.Div(id="banner"), html.Main(id="page", tabIndex="-1")])],
                id="shell",
                header=HEADER,
                navbar=NAVBAR,
                padding={"base": "xs", "sm": "md"},
            ),
        ],
    )


def pill(state: Shown, text: str) -> Component:
    """The pill; a screen reader hears its changes, but not its seconds."""
    return html.Div(
        [html.Span(className="dot"), html.Span(text)],
        id="status-pill",
        className=f"pill pill-{LEVEL[state]}",
        role="status",
        **attributes(data_state=state, aria_live="polite", aria_label=state.replace("_", " ")),
    )


def last_event(line: Line) -> Component:
    """When the last event came."""
    return html.Span(line.text, title=line.hover, className="last-event")


def banner(told: Banner | None) -> Component | None:
    """What needs a person's eye."""
    if told is None:
        return None
    command = [html.Code(told.command, className="command")] if told.command else []
    return html.Div(
        [html.Strong(told.title), html.Span(told.text), *command],
        className=f"banner banner-{told.level}",
        role="alert" if told.level == "alarm" else "note",
    )


def _header() -> Component:
    return dmc.AppShellHeader(
        html.Div(
            [
                html.Div(
                    [
                        dmc.Burger(
                            id="burger", size="sm", hiddenFrom="sm", opened=False, **attributes(aria_label="Navigation")
                        ),
                        html.Span("tripcast", className="brand"),
                        html.Span("", id="environment", className="environment"),
                    ],
                    className="header-name",
                ),
                html.Div(
                    [html.Div(pill("booting", "BOOTING"), id="pill"), html.Div(id="last-event")], className="header-status"
                ),
                _controls(),
            ],
            className="header",
        )
    )


def _controls() -> Component:
    periods = [{"value": value, "label": label} for value, label in PERIODS.items()]
    return html.Div(
        [
            html.Button(
                html.Span(className="icon"),
                id="pause",
                className="tool",
                title="Pause",
                **attributes(aria_label="Pause", aria_pressed=False),
            ),
            dmc.SegmentedControl(id="period", data=periods, value=DEFAULT_PERIOD, size="xs"),
            html.Button(
                html.Span(className="icon"),
                id="theme",
                className="tool",
                title="Light or dark",
                **attributes(aria_label="Light or dark"),
            ),
        ],
        className="controls",
    )


def _navigation(pages: Sequence[Page]) -> Component:
    links = [
        dmc.NavLink(id=f"nav-{page.name}", label=page.title, href=page.path, active="exact", py=6)
        for page in pages
        if page.listed
    ]
    return dmc.AppShellNavbar(html.Nav(links, id="navigation", **attributes(aria_label="Pages")), p="xs")
