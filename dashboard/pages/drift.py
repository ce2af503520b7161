"""The page Drift."""

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from dashboard.page import Context, Page
from dashboard.view import View


async def _layout(_context: Context, _view: View) -> Component:
    return html.Div(dmc.Title("Drift", order=2), id="page-drift")


PAGE = Page("drift", "/drift", "Drift", _layout)
