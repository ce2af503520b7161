"""The page Live."""

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from dashboard.page import Context, Page
from dashboard.view import View


async def _layout(_context: Context, _view: View) -> Component:
    return html.Div(dmc.Title("Live", order=2), id="page-live")


PAGE = Page("live", "/", "Live", _layout)
