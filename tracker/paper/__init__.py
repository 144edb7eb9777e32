"""What leaves the desk on paper. Pure: values in, the bytes of a PDF out.

Each function draws one kind of sheet, with the template of its name under `templates/`. Charts come as the same
Vega-Lite documents that the pages show (`tracker.charts`).
"""

from tracker.paper import press
from tracker.paper.values import (
    Cell,
    Check,
    Decision,
    Due,
    DueList,
    Flagged,
    Letter,
    Letters,
    Measured,
    Printed,
    Row,
    Sheet,
    Summary,
    Timeline,
    Waiting,
    Who,
    Worklist,
)

__all__ = [
    "Cell",
    "Check",
    "Decision",
    "Due",
    "DueList",
    "Flagged",
    "Letter",
    "Letters",
    "Measured",
    "Printed",
    "Row",
    "Sheet",
    "Summary",
    "Timeline",
    "Waiting",
    "Who",
    "Worklist",
    "pdf",
    "pictures",
]

TEMPLATES: dict[type[Sheet], str] = {
    Summary: "summary",
    Timeline: "timeline",
    Worklist: "worklist",
    DueList: "due",
    Letters: "letters",
}


def pdf(sheet: Sheet) -> bytes:
    """A tagged PDF on A4."""
    return press.pdf(TEMPLATES[type(sheet)], sheet, _drawings(sheet))


def pictures(sheet: Sheet) -> list[bytes]:
    """The same pages as PNG, one each."""
    return press.pictures(TEMPLATES[type(sheet)], sheet, _drawings(sheet))


def _drawings(sheet: Sheet) -> list[str]:
    if isinstance(sheet, Summary):
        return [press.drawn(sheet.spec)] if sheet.spec else []
    return [press.drawn(spec) for spec in sheet.specs] if isinstance(sheet, Timeline) else []
