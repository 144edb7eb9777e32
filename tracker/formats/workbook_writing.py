"""Tables out again as a workbook (XLSX). Text stays text, so that no cell of it is a formula; what is read back is what
was written.
"""

import io
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

import xlsxwriter

from tracker.domain.values import plain
from tracker.formats.interchange import TABLES

_WIDEST = 60
_AS_TEXT = {"in_memory": True, "strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}


def workbook(table: str, rows: Iterable[Mapping[str, object]], made_at: datetime) -> bytes:
    """One sheet with the columns of that table of the interchange, the header frozen."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, _AS_TEXT) as book:
        book.set_properties({"created": made_at.replace(tzinfo=None)})
        sheet = book.add_worksheet(table)
        header, columns = book.add_format({"bold": True}), TABLES[table]
        widths = [len(name) for name in columns]
        for place, name in enumerate(columns):
            sheet.write_string(0, place, name, header)
        for number, row in enumerate(rows, start=1):
            for place, name in enumerate(columns):
                value = row.get(name)
                text = _text(value)
                widths[place] = min(max(widths[place], len(text)), _WIDEST)
                if isinstance(value, int | Decimal) and _exact(value):
                    sheet.write_number(number, place, float(value))
                elif text:
                    sheet.write_string(number, place, text)
        for place, width in enumerate(widths):
            sheet.set_column(place, place, width + 2)
        sheet.freeze_panes(1, 0)
    return target.getvalue()


def _exact(value: int | Decimal) -> bool:
    """Whether a spreadsheet's number says exactly this; a figure with more digits than one holds goes in as text."""
    return Decimal(repr(float(value))) == value


def _text(value: object) -> str:
    if value is None:
        return ""
    return plain(value) if isinstance(value, Decimal) else str(value)
