"""Files: bytes into readings and problems, and rows out again. Nothing is stored here, and no clock is read.

    source = formats.read(name, stream, zone, reader)
    for row in source.rows:
        row.number, row.reading, row.problems

`read` recognises a file by its content and raises Refused where it cannot be read at all; after that a row at a time is
read or refused, in little memory however long the file is, and iterating never raises. Every row that holds something
is yielded, so that the rows counted are the rows that came in.

Tables with other columns than those of the interchange are read with a `reader` (formats/shapes): where they have one
reading only, or it is settled which is meant; else Unsettled says what is open.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

from tracker.domain.errors import Refused
from tracker.domain.readings import KIND_OF, Problem, Row
from tracker.formats import fhir, hl7v2, recognise, shapes, workbook
from tracker.formats.cells import listed
from tracker.formats.export import csv_lines, json_lines, write_csv, write_json
from tracker.formats.fhir.writing import write_fhir
from tracker.formats.opening import Text, open_text
from tracker.formats.shapes import grid
from tracker.formats.tables import GUESSED, Rows, open_table

__all__ = [
    "ORDER",
    "ROW_NAMES",
    "TABLES",
    "Source",
    "csv_lines",
    "json_lines",
    "read",
    "write_csv",
    "write_fhir",
    "write_json",
]

ORDER = (
    "patients",
    "ranges",
    "courses",
    "exposures",
    "course_events",
    "medications",
    "observations",
    "adverse_events",
    "results",
    "documents",
)
"""The order in which the kinds of source are filed, so that nothing comes before what it needs."""


TABLES = (recognise.CSV, recognise.SDTM)
"""The formats whose rows are lines with cells."""

ROW_NAMES = {recognise.FHIR: "entry", recognise.HL7: "line"}
"""What a row is called where it is not a row."""


class Source(NamedTuple):
    """One file that can be read. `format` is csv, table, sdtm, fhir, hl7v2 or xlsx; `kinds` are those of ORDER that its
    rows are of, in that order; `remarks` are about the file as a whole.

    `rows` streams, and can be gone through once. `first_row` is the number of the first row that is not a header.
    `elements` names what a reading's fields are called in the file, where that is not their own name. `proposals` are
    the tables of another shape, and how each is read. `table` gives the rows of a long table in another order, in place
    of `rows`.
    """

    name: str
    format: str
    kinds: tuple[str, ...]
    remarks: tuple[Problem, ...]
    rows: Iterator[Row]
    first_row: int = 2
    elements: Mapping[str, str] = MappingProxyType({})
    proposals: tuple[shapes.Proposal, ...] = ()
    table: Rows | None = None

    @property
    def kind(self) -> str:
        """What the file holds, in words."""
        return listed([kind.replace("_", " ") for kind in self.kinds], "and") if len(self.kinds) > 1 else self.kinds[0]

    @property
    def turn(self) -> int:
        """When the file is filed among others: where its first kind stands in ORDER."""
        return ORDER.index(self.kinds[0])


def read(
    name: str, stream: BinaryIO, zone: ZoneInfo, reader: shapes.Reader | None = None, *, test_messages: bool = False
) -> Source:
    """Open a file. Times without an offset are those of `zone`. With `test_messages`, messages that are marked as
    training or debugging are read as any other. Raises Refused where it cannot be read at all, and shapes.Unsettled
    where a table of another shape needs an answer first; without a `reader` none is read.
    """
    opened = open_text(stream)
    found = recognise.form(opened.head)
    if found == recognise.FHIR:
        resources = fhir.read(opened.whole(fhir.MOST_BYTES), zone)
        return _in_turn(name, found, resources.rows, resources.remarks, fhir.ELEMENTS)
    if found == recognise.HL7:
        messages = hl7v2.read(hl7v2.check_size(opened.whole(hl7v2.MOST_BYTES)), zone, test_messages)
        return _in_turn(name, found, messages.rows, messages.remarks, hl7v2.ELEMENTS)
    if found == recognise.WORKBOOK:
        book = workbook.read(opened.whole(workbook.MOST_BYTES), zone, reader)
        held = tuple(sorted(book.kinds, key=ORDER.index))
        rows_of = iter(sorted(book.rows, key=_turn))
        return Source(name, found, held, book.remarks, rows_of, 2, proposals=book.proposals)
    try:
        table = open_table(opened.text)
        shape = recognise.table(table)
    except Refused as why:
        if reader is None:
            raise
        stream.seek(0)
        return _of_another_shape(name, open_text(stream).text, zone, reader, why)
    remarks = (*((Problem(0, "", GUESSED),) if opened.text.guessed else ()), *shape.remarks)
    rows = Rows(table, shape.layout, zone)
    return Source(name, shape.format, (shape.layout.kind,), remarks, iter(rows), table=rows)


def _of_another_shape(name: str, text: Text, zone: ZoneInfo, reader: shapes.Reader, why: Refused) -> Source:
    """A table with other columns than those of the interchange. Raises `why` where it holds no results at all."""
    try:
        proposal = shapes.proposed(grid.of_lines(text), reader)
    except shapes.NoTable as no_table:
        raise why from no_table
    if proposal.questions:
        raise shapes.Unsettled(proposal)
    remarks = [Problem(0, "", said) for said in ((GUESSED,) if text.guessed else ()) + proposal.understood]
    first = proposal.grid.rows[proposal.shape.header][0] + 1
    found = iter(shapes.Rows(proposal, zone))
    return Source(name, "table", ("results",), tuple(remarks), found, first, proposal.elements, (proposal,))


def _in_turn(
    name: str, form: str, rows: list[Row], remarks: tuple[Problem, ...], elements: Mapping[str, str]
) -> Source:
    """A file whose rows are of several kinds, mixed: each comes after what it needs."""
    held = {KIND_OF[type(row.reading)] for row in rows if row.reading is not None}
    kinds = tuple(sorted(held, key=ORDER.index)) or ("results",)
    return Source(name, form, kinds, remarks, iter(sorted(rows, key=_turn)), 1, elements)


def _turn(row: Row) -> int:
    return -1 if row.reading is None else ORDER.index(KIND_OF[type(row.reading)])
