"""Which of a person's identifiers serves as the record number here (types of HL7 table 0203)."""

from collections.abc import Sequence

# By how well they serve; an identifier without a type comes last of them.
RECORD_NUMBERS = ("MR", "MRN", "MRT", "PI", "PT", "PN", "AN", "")
NEVER = frozenset(("SS", "SB", "DL", "PPN", "TAX", "NI", "NH", "JHN", "HC", "MB", "MC", "MA", "BRN", "CC", "EI"))


def rank(types: Sequence[str]) -> int | None:
    """The lower the better; None for a number that a state or an insurer gives, which is never taken."""
    if NEVER.intersection(types):
        return None
    named = [RECORD_NUMBERS.index(word) for word in types or [""] if word in RECORD_NUMBERS]
    return min(named, default=len(RECORD_NUMBERS))
