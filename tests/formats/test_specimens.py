"""Which samples are of blood, as laboratories call them."""

import pytest

from tracker.formats.specimens import elsewhere, of_blood


@pytest.mark.parametrize(
    "called",
    [
        "Blood",
        "BLD",
        "EDTA-Blut",
        "Vollblut",
        "Serum",
        "SER",
        "SERPLAS",
        "Plasma (Heparin)",
        "sang veineux",
        "Suero",
        "surowica",
    ],
)
def test_a_sample_of_blood(called: str) -> None:
    assert of_blood(called)
    assert elsewhere(called, is_sample=True) == ""


@pytest.mark.parametrize(
    "called",
    [
        "Urine",
        "UR",
        "Urine, bladder catheter",
        "24h-Urin",
        "Sammelurin",
        "Orina",
        "Mocz",
        "CSF",
        "Liquor",
        "Stuhl",
        "Ascites",
    ],
)
def test_a_sample_of_something_else(called: str) -> None:
    assert elsewhere(called, is_sample=True) == f" ({called.lower()})"


@pytest.mark.parametrize("called", ["", "Urea and electrolytes", "Serous", "Bladder", "U/E"])
def test_a_text_that_does_not_say(called: str) -> None:
    assert elsewhere(called, is_sample=False) is None
