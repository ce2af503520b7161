"""Tables that can be sorted, filtered and searched: column definitions for AG Grid."""

from collections.abc import Mapping, Sequence
from typing import Any

import dash_ag_grid as dag

Column = dict[str, Any]
ROW, HEAD, LEAST = 36, 38, 2  # pixels, pixels, rows


def text(field: str, title: str, *, width: int = 140, grow: int = 0, hover: str = "") -> Column:
    """A column of words; `hover` names the field that is shown on hover."""
    more = {"flex": grow} if grow else {}
    return {"field": field, "headerName": title, "minWidth": width, "width": width, "tooltipField": hover or field, **more}


def number(field: str, title: str, digits: int = 0, *, width: int = 110, unit: str = "") -> Column:
    """A column of numbers, right-aligned, nothing where there is none."""
    shown = f"params.value == null ? '-' : d3.format(',.{digits}f')(params.value).replaceAll(',', '\u2009')"
    name = f"{title} ({unit})" if unit else title
    return {
        "field": field,
        "headerName": name,
        "type": "rightAligned",
        "width": width,
        "minWidth": width,
        "valueFormatter": {"function": shown},
    }


def linked(field: str, title: str, *, width: int = 110) -> Column:
    """A column of Markdown links that open in a tab of their own."""
    return {
        "field": field,
        "headerName": title,
        "width": width,
        "minWidth": width,
        "cellRenderer": "markdown",
        "linkTarget": "_blank",  # for Dash; AG Grid itself warns that it does not know it
    }


def asked_for(event: object) -> int | None:
    """The number of the row that a click or the Enter key asks for; ticking a row asks for nothing."""
    found = event.get("data", event) if isinstance(event, dict) else None
    if not isinstance(found, dict) or str(found.get("colId", "")).startswith("ag-Grid"):
        return None
    row = str(found.get("rowId", ""))
    return int(row) if row.isascii() and row.isdigit() else None


def height(rows: int, most: int) -> dict[str, str]:
    """The style of a grid that is as high as its rows, but not higher than `most` of them, and never lower than two."""
    return {"height": f"{HEAD + ROW * min(max(rows, LEAST), most) + 2}px", "width": "100%"}


def grid(
    name: str,
    columns: Sequence[Column],
    rows: Sequence[Mapping[str, Any]],
    key: str,
    *,
    height: int | None = None,
    choose: bool = False,
    search: bool = False,
) -> dag.AgGrid:
    """A grid that keeps selection and scroll when it is given new rows; `key` is the field that tells them apart."""
    options: dict[str, Any] = {
        "animateRows": False,
        "tooltipShowDelay": 300,
        "enableCellTextSelection": True,
        "ensureDomOrder": True,
        "suppressCellFocus": False,
        "localeText": {"noRowsToShow": "Nothing here yet."},
        "rowHeight": ROW,
        "headerHeight": HEAD,
    }
    if height is None:
        options["domLayout"] = "autoHeight"
    if choose:
        options["rowSelection"] = {"mode": "multiRow", "enableClickSelection": False}
        options["selectionColumnDef"] = {"pinned": "left"}
    return dag.AgGrid(
        id=name,
        columnDefs=list(columns),
        rowData=[dict(row) for row in rows],
        getRowId=f"params.data.{key}",
        defaultColDef={
            "sortable": True,
            "resizable": True,
            "filter": search,
            "floatingFilter": search,
            "suppressHeaderMenuButton": True,
            "suppressHeaderFilterButton": True,
            "suppressFloatingFilterButton": True,
        },
        dashGridOptions=options,
        eventListeners={"cellKeyDown": ["tripOfKey(params, setEventData)"]} if choose else {},  # Enter asks as a click does
        columnSize=None,
        style={"height": height, "width": "100%"} if height else {"width": "100%"},
    )
