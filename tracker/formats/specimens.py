"""Whether a sample is of blood, by what a message or a table calls it. A test's name does not say: a glucose of urine
is called glucose too.
"""

# A bladder and a serous fluid are none.
_OF_BLOOD = (
    "blood", "blut", "bloed", "blod", "vollblut", "kapillarblut", "venenblut", "serum", "serpl", "plasma", "sang",
    "edta", "heparin", "citrat", "suero", "siero", "krew", "surowic", "soro", "osocze",
)  # fmt: skip
_OF_BLOOD_CODES = frozenset(("bl", "bld", "bldv", "bldc", "blda", "wb", "ser", "plas", "plasv"))
# How words of an order or a sample begin that are not of blood; `urea` is none of them.
_ELSEWHERE = (
    "urin", "liquor", "csf", "cerebrosp", "stuhl", "stool", "faec", "feces", "fecal", "sput", "speichel", "saliva",
    "pleura", "ascit", "synovia", "dialysat", "sweat", "orina", "mocz", "lcr", "selles", "heces", "fezes", "feci",
    "kał", "sammelurin", "spontanurin", "morgenurin", "mittelstrahlurin", "harn", "punktat", "abstrich", "swab",
)  # fmt: skip
# Codes of a sample (HL7 tables 0070 and 0487), where they stand alone; as an order `U/E` is urea and electrolytes.
_ELSEWHERE_CODES = frozenset(("ur", "uri", "u24", "u", "rur", "stl", "spt", "sal", "plr", "asp", "snv", "prt", "swt"))


def elsewhere(text: str, is_sample: bool) -> str | None:
    """` (urine)` for a sample that is not of blood, "" for one that is, None where the text does not tell."""
    text = text.lower()
    words = "".join(c if c.isalnum() else " " for c in text).split()
    if any(word.startswith(_ELSEWHERE) for word in words) or (is_sample and text.strip() in _ELSEWHERE_CODES):
        return "" if of_blood(text) else f" ({text[:40]})"
    return "" if of_blood(text) else None


def of_blood(text: str) -> bool:
    """Whether a text calls a sample one of blood, serum or plasma."""
    words = "".join(c if c.isalnum() else " " for c in text.lower()).split()
    return any(word.startswith(_OF_BLOOD) or word in _OF_BLOOD_CODES for word in words)
