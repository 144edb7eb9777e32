"""How reported terms are recognised: what a clinic would write, and what only looks like it."""

from datetime import date

import pytest

from tracker.domain.errors import BadData
from tracker.domain.illness import clusters
from tracker.domain.infections import NO_WORDS, Term
from tracker.library.infections import build, vocabulary

WORDS = vocabulary()


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("PJP", "Pneumocystis jirovecii pneumonia"),
        ("Pneumonia, P. jirovecii (Pneumocystis)", "Pneumocystis jirovecii pneumonia"),
        ("Legionnaires' disease", "legionellosis"),
        ("Non-tuberculous mycobacterial lung disease", "non-tuberculous mycobacterial disease"),
        ("Mycobacterium avium complex", "non-tuberculous mycobacterial disease"),
        ("oropharyngeal candidiasis", "invasive or pharyngeal candidiasis"),
        ("Candida oesophagitis", "invasive or pharyngeal candidiasis"),
        ("Candidaemia", "candidaemia"),
        ("HSV encephalitis", "invasive herpes simplex"),
        ("Hepatitis B reactivation", "hepatitis B reactivation"),
        ("Cryptococcal meningitis", "cryptococcosis"),
        ("Strongyloides hyperinfection", "strongyloides hyperinfection"),
        ("pulmonary TB", "tuberculosis"),
        ("Shingles", "herpes zoster"),
        ("ophthalmic herpes zoster", "herpes zoster"),
        ("visceral leishmaniasis", "visceral leishmaniasis"),
    ],
)
def test_what_is_on_the_opportunistic_list(written: str, line: str) -> None:
    found = WORDS.opportunistic_term(written)
    assert found is not None
    assert found.name == line


@pytest.mark.parametrize(
    "written",
    [
        "oral candidiasis",
        "vaginal thrush",
        "herpes labialis",
        "genital HSV",
        "latent TB",
        "TB contact",
        "tuberculin test",
        "zoster vaccine given",
        "post-herpetic neuralgia",
        "aspergilloma",
        "salmonella gastroenteritis",
        "listeria gastroenteritis",
        "hepatitis B vaccination",
        "urinary tract infection",
        "fusarium of a toenail",
        "CMV IgG positive",
        "cutaneous leishmaniasis",
    ],
)
def test_what_is_not(written: str) -> None:
    assert WORDS.opportunistic_term(written) is None


@pytest.mark.parametrize(
    ("written", "event"),
    [
        ("DVT left leg", "thrombosis"),
        ("Pulmonary embolism", "thrombosis"),
        ("cerebral venous sinus thrombosis", "thrombosis"),
        ("Acute MI", "mi_or_stroke"),
        ("ischaemic stroke", "mi_or_stroke"),
        ("bowel perforation", "gi_perforation"),
        ("anaphylaxis", "hypersensitivity"),
        ("Pregnancy", "pregnancy"),
        ("B-cell lymphoma", "malignancy"),
        ("sudden breathlessness", "red_flag"),
        ("migraine", None),
        ("thrombocytopenia", None),
        ("heat stroke", None),
        ("thrombosed haemorrhoid", None),
        ("perforated eardrum", None),
        ("pregnancy test negative", None),
        ("family history of breast cancer", None),
        ("acne", None),
    ],
)
def test_other_events(written: str, event: str | None) -> None:
    found = WORDS.event_term(written)
    assert (found.name if found else None) == event


def test_a_word_is_a_whole_one_and_a_star_lets_it_go_on() -> None:
    assert Term("", ("mi",)).fits("an MI, inferior")
    assert not Term("", ("mi",)).fits("migraine")
    assert Term("", ("candid*",)).fits("Candida albicans")
    assert not Term("", ("candid*",)).fits("incandescent")


def test_without_lists_nothing_is_recognised() -> None:
    assert NO_WORDS.opportunistic_term("tuberculosis") is None
    assert NO_WORDS.event_term("stroke") is None
    assert not NO_WORDS.zoster.fits("herpes zoster")


def test_every_line_names_its_source() -> None:
    lines = (*WORDS.opportunistic, WORDS.zoster, WORDS.widespread, WORDS.tuberculosis, *WORDS.events)
    assert all(line.source and line.words for line in lines)
    assert {line.certainty for line in WORDS.opportunistic} == {"definite", "probable"}


def test_a_list_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(BadData, match="zoster"):
        build({"opportunistic": {"source": "", "verified": True, "definite": [], "probable": []}}, "")
    with pytest.raises(BadData, match="no words"):
        build(
            {
                "opportunistic": {"source": "", "verified": True, "definite": [{"name": "x"}], "probable": []},
                "zoster": {},
            },
            "",
        )


# ------------------------------------------------------------------------------------------- days close together

DAYS = [date(2025, 1, 1), date(2025, 3, 1), date(2025, 6, 30), date(2025, 12, 1)]


def test_three_within_180_days_is_a_run_until_180_quiet_days_have_passed() -> None:
    (run,) = clusters(DAYS, 3, 180)
    assert (run.first, run.last) == (0, 2)
    assert run.until == date(2025, 12, 28)


def test_a_day_more_and_it_is_none() -> None:
    assert clusters([date(2025, 1, 1), date(2025, 3, 1), date(2025, 7, 1)], 3, 180) == []


def test_too_few_days_are_no_run() -> None:
    assert clusters(DAYS[:2], 3, 180) == []
