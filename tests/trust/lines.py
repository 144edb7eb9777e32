"""What a check of this folder says: one line of the table of `make trust`."""

from typing import NamedTuple


class Line(NamedTuple):
    """`code` is the number of the check; `wanted` is what `found` has to be."""

    code: str
    what: str
    found: str
    wanted: str
    passed: bool
    detail: str = ""
