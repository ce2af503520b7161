"""All pages of the board, in the order of the navigation. A new page is a module here and a line in this list."""

from dashboard.page import Page
from dashboard.pages import api, data, dead_letters, drift, live, models, overview, system, try_it

PAGES: tuple[Page, ...] = (
    live.PAGE,
    overview.PAGE,
    models.PAGE,
    data.PAGE,
    try_it.PAGE,
    api.PAGE,
    system.PAGE,
    dead_letters.PAGE,
    drift.PAGE,
)
