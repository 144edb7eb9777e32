"""Typst with our own templates and fonts: a value and its drawings in, the bytes of a PDF or of pictures out.

What people typed reaches a template as JSON and is laid out as plain text: it is never read as markup or as code.
"""

from __future__ import annotations  # some names of typst are known to type checkers alone

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import typst
import vl_convert

from tracker.paper.values import Sheet

TEMPLATES = Path(__file__).resolve().parent / "templates"
FAMILY = "Source Sans Pro"
PLAIN: typst.PDFStandards = None
ACCESSIBLE: typst.PDFStandards = "ua-1"
VEGA_LITE = "6.4"
_NO_LETTERS = ("Cc", "Cs", "Zl", "Zp")  # controls, halves of a pair, separators of lines and paragraphs
_NO_XML = "\ufffe\uffff"


@cache
def _font_folder() -> str:
    """Where the package with the letters lies. It is found, not imported: it lists its files with every import."""
    found = find_spec("font_source_sans_pro")
    assert found is not None, "a dependency of the project"
    assert found.origin is not None, "a package with a file"
    return str(Path(found.origin).parent / "files")


@cache
def _fonts() -> typst.Fonts:
    """Ours first. What they have no sign for is taken from the system's, so that a name in any script can be read."""
    return typst.Fonts(include_system_fonts=True, include_embedded_fonts=True, font_paths=[_font_folder()])


def pdf(template: str, sheet: Sheet, drawings: Sequence[str] = ()) -> bytes:
    """The sheet as a tagged PDF (PDF/UA-1). A sign that no font here has makes it a plain one, with a box for it."""
    try:
        return _compiled(template, sheet, drawings, "pdf", ACCESSIBLE)[0]
    except typst.TypstError as error:
        if "could not be displayed" not in error.message:
            raise
    return _compiled(template, sheet, drawings, "pdf", PLAIN)[0]


def pictures(template: str, sheet: Sheet, drawings: Sequence[str] = (), ppi: float = 110) -> list[bytes]:
    """Its pages as PNG: to look at."""
    return _compiled(template, sheet, drawings, "png", PLAIN, ppi)


def _compiled(
    template: str, sheet: Sheet, drawings: Sequence[str], kind: Literal["pdf", "png"],
    standards: typst.PDFStandards, ppi: float | None = None,
) -> list[bytes]:  # fmt: skip
    """The same sheet gives the same bytes: the instant in the file is the one that is printed on it."""
    data = json.dumps(asdict(sheet), default=datetime.isoformat, ensure_ascii=False)
    made: Any = typst.compile(
        str(TEMPLATES / f"{template}.typ"),
        root=str(TEMPLATES),
        font_paths=_fonts(),
        format=kind,
        ppi=ppi,
        sys_inputs={"data": data, "drawings": json.dumps(list(drawings))},
        pdf_standards=standards,
        timestamp=int(sheet.printed.instant.timestamp()),
    )
    return made if isinstance(made, list) else [made]


@cache
def _letters_for_charts() -> None:
    vl_convert.register_font_directory(_font_folder())


def _is_no_letter(sign: str) -> bool:
    return sign in _NO_XML or unicodedata.category(sign) in _NO_LETTERS


def _drawable(part: Any) -> Any:
    """The same without signs that are no letters. At a control character in a text the drawing program ends the whole
    process, and a line separator it takes for the end of its own line.
    """
    if isinstance(part, str):
        return "".join(" " if _is_no_letter(one) else one for one in part)
    if isinstance(part, Mapping):
        return {_drawable(key): _drawable(value) for key, value in part.items()}
    return [_drawable(one) for one in part] if isinstance(part, list | tuple) else part


def drawn(spec: Mapping[str, Any]) -> str:
    """A Vega-Lite document as SVG, in the letters of the sheet. It fetches nothing: its values are in it."""
    _letters_for_charts()
    return vl_convert.vegalite_to_svg(
        _drawable(spec), vl_version=VEGA_LITE, config={"font": FAMILY}, allowed_base_urls=[]
    )
