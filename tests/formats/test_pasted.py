"""A block pasted from a report: each line that holds something comes back, as a result or with why it is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.errors import Refused
from tracker.formats.pasted import MOST_LINES, Pasted, pasted

LINES = [
    # the line, and name, value, unit, low, high, unused
    ("ANC\t0.46\t10*9/L", ("ANC", "0.46", "10*9/L", "", "", ())),
    ("Neutrophils;0,46;G/l", ("Neutrophils", "0,46", "G/l", "", "", ())),
    ("Platelets     254    x10^9/L", ("Platelets", "254", "x10^9/L", "", "", ())),
    ("Serum creatinine 0.9 mg/dl", ("Serum creatinine", "0.9", "mg/dl", "", "", ())),
    ("CRP < 5 mg/L", ("CRP", "< 5", "mg/L", "", "", ())),
    ("CRP\t<5\tmg/L", ("CRP", "<5", "mg/L", "", "", ())),
    ("CK\t>1000\tU/L\tHH", ("CK", ">1000", "U/L", "", "", ())),
    ("ALT\tH\t88\tU/L", ("ALT", "88", "U/L", "", "", ())),
    ("Hb | 13.1 | g/dL | 12 - 16", ("Hb", "13.1", "g/dL", "12", "16", ())),
    ("ALT\t31\tU/L\t<41", ("ALT", "31", "U/L", "", "41", ())),
    ("HDL\t55\tmg/dL\t> 40", ("HDL", "55", "mg/dL", "40", "", ())),
    ("TSH\t2,1\tmU/l\t(0,4-4,0)", ("TSH", "2,1", "mU/l", "0,4", "4,0", ())),
    ("ALT\t31 U/L", ("ALT", "31", "U/L", "", "", ())),
    ("PLT\t1,234\t/uL", ("PLT", "1,234", "/uL", "", "", ())),  # two readings: the row refuses it, nobody guesses here
    ("HBsAg\tnegative", ("HBsAg", "negative", "", "", "", ())),
    ("WBC\t1.2 e3\t/uL", ("WBC", "1.2 e3", "/uL", "", "", ())),
    ("ALT\t31\tU/L\tserum, repeat", ("ALT", "31", "U/L", "", "", ("serum, repeat",))),
    ("Wonder protein\t7\twonders", ("Wonder protein", "7", "wonders", "", "", ())),
]


@pytest.mark.parametrize(("line", "read"), LINES, ids=[line for line, _ in LINES])
def test_a_line_is_read(line: str, read: tuple[object, ...]) -> None:
    (found,) = pasted(line)
    assert (found.name, found.value, found.unit, found.low, found.high, found.unused) == read
    assert found.trouble == ""


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("Test\tResult\tUnit\tReference", "taken as the heading of the columns"),
        ("just a remark", "there is no value on this line"),
        ("Neutrophils", "there is no value on this line"),
        ("x" * 501, "the line is longer than 500 characters"),
    ],
)
def test_a_line_that_is_no_result_comes_back_with_the_reason(line: str, why: str) -> None:
    assert pasted(line) == [Pasted(line[:500], trouble=why)]


def test_a_block_far_too_long_for_one_panel_is_refused() -> None:
    with pytest.raises(Refused, match="import them as a file"):
        pasted("ANC\t1\t10*9/L\n" * (MOST_LINES + 1))


@given(st.lists(st.text(st.characters(blacklist_categories=("Cs",)), max_size=60), max_size=20))
def test_no_line_is_ever_dropped(lines: list[str]) -> None:
    block = "\n".join(lines)
    assert len(pasted(block)) == sum(bool(line.strip()) for line in block.splitlines())
