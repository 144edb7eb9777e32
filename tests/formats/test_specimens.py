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
        "Aszites",
        "Spontanharn",
        "Gelenkpunktat",
        "Líquor",
    ],
)
def test_a_sample_of_something_else(called: str) -> None:
    assert elsewhere(called, is_sample=True) == f" ({called.lower()})"


@pytest.mark.parametrize("called", ["Urinalysis, blood and protein", "Urinstatus (Blut)", "Citrat im Urin"])
def test_an_order_of_urine_in_which_blood_or_citrate_is_looked_for(called: str) -> None:
    assert elsewhere(called, is_sample=False) == f" ({called.lower()})"


@pytest.mark.parametrize("called", ["Urin, Serum", "Blood count", "Plasma (Citrat)"])
def test_an_order_that_names_blood(called: str) -> None:
    assert elsewhere(called, is_sample=False) == ""


@pytest.mark.parametrize(
    "called",
    [
        "",
        "Urea and electrolytes",
        "Serous",
        "Bladder",
        "U/E",
        # urea and uric acid, and the kidneys' panel
        "Kreatinin, Harnstoff",
        "Harnsäure",
        "Harnpflichtige Substanzen",
        "Ureum, urinezuur",
        "Urinsyra",
        "Urinstof",
    ],
)
def test_a_text_that_does_not_say(called: str) -> None:
    assert elsewhere(called, is_sample=False) is None
