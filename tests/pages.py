"""What a PDF says, as its reader would take it."""

from io import BytesIO

from pypdf import PdfReader


def reader(content: bytes) -> PdfReader:
    return PdfReader(BytesIO(content))


def pages(content: bytes) -> list[str]:
    """The text of each page, on one line. What typst spaces narrowly is a blank."""
    return [" ".join(page.extract_text().split()) for page in reader(content).pages]


def text(content: bytes) -> str:
    return " ".join(pages(content))
