"""Whether a sample is of blood, by what a message or a table calls it. A test's name does not say: a glucose of urine
is called glucose too.
"""

# A bladder and a serous fluid are none.
_OF_BLOOD = (
    "blood", "blut", "bloed", "blod", "vollblut", "kapillarblut", "venenblut", "serum", "serpl", "plasma", "sang",
    "edta", "heparin", "citrat", "suero", "siero", "krew", "surowic", "soro", "osocze",
)  # fmt: skip
# A test strip looks for blood, and a day's urine for citrate.
_TESTED_IN_URINE = ("blood", "blut", "bloed", "blod", "sang", "krew", "citrat")
_OF_BLOOD_CODES = frozenset(("bl", "bld", "bldv", "bldc", "blda", "wb", "ser", "plas", "plasv"))
# How words of an order or a sample begin that are not of blood; `urea` is none of them.
_ELSEWHERE = (
    "urin", "liquor", "csf", "cerebrosp", "stuhl", "stool", "faec", "feces", "fecal", "sput", "speichel", "saliva",
    "pleura", "ascit", "synovia", "dialysat", "sweat", "orina", "mocz", "lcr", "selles", "heces", "fezes", "feci",
    "kał", "sammelurin", "spontanurin", "morgenurin", "mittelstrahlurin", "harn", "punktat", "abstrich", "swab",
    "sammelharn", "spontanharn", "morgenharn", "mittelstrahlharn", "gelenkpunktat", "aszites", "líquor", "fæces",
    "avföring", "afføring", "fruchtwasser", "amnio", "knochenmark", "marrow", "mózgow", "spinalv", "hersenvocht",
)  # fmt: skip
# Urea, uric acid and what the kidneys leave behind begin like urine in some languages, and are measured in blood.
_NO_URINE = ("harnstoff", "harnsäure", "harnsaeure", "harnpflicht", "urinezuur", "urinsyr", "urinstof")
# Codes of a sample (HL7 tables 0070 and 0487), where they stand alone; as an order `U/E` is urea and electrolytes.
_ELSEWHERE_CODES = frozenset(("ur", "uri", "u24", "u", "rur", "stl", "spt", "sal", "plr", "asp", "snv", "prt", "swt"))


def elsewhere(text: str, is_sample: bool) -> str | None:
    """` (urine)` for a sample that is not of blood, "" for one that is, None where the text does not tell."""
    text = text.lower()
    named = [word for word in _words(text) if word.startswith(_ELSEWHERE) and not word.startswith(_NO_URINE)]
    if named or (is_sample and text.strip() in _ELSEWHERE_CODES):
        return "" if of_blood(text, unless_tested=not is_sample) else f" ({text[:40]})"
    return "" if of_blood(text) else None


def of_blood(text: str, unless_tested: bool = False) -> bool:
    """Whether a text calls a sample one of blood, serum or plasma. `unless_tested`: not by a word for what is looked
    for in a urine too.
    """
    words = [word for word in _words(text.lower()) if not (unless_tested and word.startswith(_TESTED_IN_URINE))]
    return any(word.startswith(_OF_BLOOD) or word in _OF_BLOOD_CODES for word in words)


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text).split()
