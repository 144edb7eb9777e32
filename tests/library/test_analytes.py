"""Names, codes and LOINC as laboratories send them become the right analyte, or none."""

import csv
import gzip
import re
from decimal import Decimal
from pathlib import Path

import pytest

from tracker.domain.units import normal_unit, to_canonical
from tracker.library.analytes import ANALYTES, PANELS, digest, find, folded, match, method, word

LOINC_CODE = re.compile(r"\b\d{3,5}-\d\b")
NUMERIC = re.compile(r"\d+(?:\.\d+)?")


@pytest.fixture
def table(shared: Path) -> list[dict[str, str]]:
    with (shared / "clinical" / "analytes.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


KINDS_OF_NEUTROPHILS = ["NEUT_SEG", "NEUT_SEG_PCT", "NEUT_BAND", "NEUT_BAND_PCT"]


def test_the_library_has_the_analytes_of_the_table_in_its_order_and_the_kinds_of_neutrophils(
    table: list[dict[str, str]],
) -> None:
    assert list(ANALYTES) == [row["code"] for row in table] + KINDS_OF_NEUTROPHILS


def test_every_figure_of_the_table_is_carried_over(table: list[dict[str, str]]) -> None:
    for row in table:
        analyte = ANALYTES[row["code"]]
        for bound in ("hard_min", "hard_max", "query_min", "query_max"):
            assert getattr(analyte, bound) == (Decimal(row[bound]) if row[bound] else None), row["code"]
        for column in ("name", "panel", "bounds_source", "direction_of_concern", "notes"):
            assert getattr(analyte, column) == row[column], row["code"]
        unit = row["canonical_ucum"].removeprefix("qualitative").removeprefix(" or ")
        assert analyte.unit == unit, row["code"]
        assert analyte.qualitative or not row["canonical_ucum"].startswith("qualitative"), row["code"]


def factors(text: str) -> tuple[Decimal, Decimal, Decimal]:
    """(multiply, divide, add) as the table prints them: `0.1`, `1/17.1`, `affine 0.09148*x+2.152`."""
    one, nothing = Decimal(1), Decimal(0)
    if text.startswith("affine"):
        slope, added = re.findall(r"[\d.]+", text)
        return Decimal(slope), one, Decimal(added)
    if text.startswith("1/"):
        return one, Decimal(text[2:]), nothing
    return Decimal(text), one, nothing


def test_every_conversion_of_the_table_is_carried_over(table: list[dict[str, str]]) -> None:
    for row in table:
        analyte = ANALYTES[row["code"]]
        for part in filter(None, row["other_units_to_canonical"].split("; ")):
            unit, _, factor = part.partition("=")
            rule = analyte.conversions[normal_unit(unit)]
            assert rule[1:] == factors(factor), (row["code"], unit)


def test_every_loinc_of_the_table_is_accepted_or_kept_out(table: list[dict[str, str]]) -> None:
    for row in table:
        for loinc in LOINC_CODE.findall(row["loinc_accept"]):
            found = find(f"loinc:{loinc}")
            assert found is not None
            assert found.code == row["code"]
        for loinc in LOINC_CODE.findall(row["loinc_do_not_pool"]):
            assert loinc in ANALYTES[row["code"]].loinc_never
            assert find(f"loinc:{loinc}") is not ANALYTES[row["code"]]


def test_no_loinc_stands_for_two_analytes() -> None:
    codes = [loinc for analyte in ANALYTES.values() for loinc in analyte.loinc]
    assert len(codes) == len(set(codes))


def test_only_counts_and_their_percentages_share_a_name() -> None:
    owners: dict[str, set[str]] = {}
    for analyte in ANALYTES.values():
        for name in (analyte.code, analyte.name, *analyte.aliases):
            owners.setdefault(folded(name), set()).add(analyte.code)
    shared_names = {frozenset(codes) for codes in owners.values() if len(codes) > 1}
    pairs = (("ANC", "NEUT_PCT"), ("ALC", "LYMPH_PCT"), ("NEUT_SEG", "NEUT_SEG_PCT"), ("NEUT_BAND", "NEUT_BAND_PCT"))
    assert shared_names == set(map(frozenset, pairs))


# name | unit | code, as found in messages of Swiss, German, French and American laboratories, and in CDISC data.
NAMES = """
ANC                              |          | ANC
anc                              | /uL      | ANC
Neutrophils                      | 10*9/L   | ANC
Neutrophils                      | %        | NEUT_PCT
Neutrophils                      |          | ANC
Neutrophils                      | pro GF   | ANC
Neutrophile                      | G/l      | ANC
Neutrophile                      | %        | NEUT_PCT
Neutrophile absolut              | G/l      | ANC
Neutrophile Automat %            | %        | NEUT_PCT
NEUT#                            | G/l      | ANC
NEUT                             | 10*9/L   | ANC
LYM                              | GI/L     | ALC
LYM                              | %        | LYMPH_PCT
Segmentkernige Neutrophile       | %        | NEUT_SEG_PCT
Segs                             | %        | NEUT_SEG_PCT
Segs                             | K/uL     | NEUT_SEG
Stabkernige Neutrophile          | %        | NEUT_BAND_PCT
Bands                            | %        | NEUT_BAND_PCT
Bands                            | 10*9/L   | NEUT_BAND
loinc:769-0                      | %        | NEUT_SEG_PCT
loinc:764-1                      | %        | NEUT_BAND_PCT
Lymphozyten                      | G/l      | ALC
  Lymphozyten                    | %        | LYMPH_PCT
LYMPHOCYTES                      | THOU/uL  | ALC
MONO                             | GI/L     | AMC
Monozyten                        | G/l      | AMC
WBC                              | K/uL     | WBC
White  Blood  Cells              | 10*3/uL  | WBC
Leukozyten                       | G/l      | WBC
Leucocytes                       | 10e9/l   | WBC
HGB                              | g/dL     | HB
Hämoglobin                       | g/l      | HB
Ha\u0308moglobin                 | g/l      | HB
Hémoglobine                      | g/l      | HB
HCT                              | 1        | HCT
Hämatokrit                       | l/l      | HCT
Erythrozyten                     | Mio./mm³ | RBC
PLAT                             | GI/L     | PLT
Thrombozyten                     | x1000/mm³| PLT
MCHC                             | g/dl     | MCHC
ALAT (GPT)                       | U/l      | ALT
GOT (ASAT)                       | U/l      | AST
Alk. Phosphatase                 | U/l      | ALP
AP (Alkalische Phosphatase)      | U/l      | ALP
Phosphatase alcaline             | UI/l     | ALP
gGT (g-Glutamyl-Transpeptidase)  | U/l      | GGT
BILI                             | umol/L   | TBIL
Bilirubin gesamt                 | mcmol/l  | TBIL
Bilirubin, direkt                | mcmol/l  | DBIL
Albumin                          | g/l      | ALB
Kreatinin im Serum               | umol/l   | CREAT
Créatinine                       | umol/l   | CREAT
CK Creatin-Kinase                | U/l      | CK
Cholesterin gesamt               | mmol/l   | CHOL
Cholestérol total                | mmol/l   | CHOL
HDL-Cholesterin                  | mmol/l   | HDL
LDL-Cholesterin (berechnet)      | mmol/l   | LDL
Non-HDL Cholesterol, calc        | mg/dL    | NONHDL
Triglyzeride                     | mmol/L   | TG
GLUC                             | mmol/L   | GLU
Glucose nüchtern                 | mmol/l   | GLU
Hémoglobine glyquée              | %        | HBA1C
HbA1c DCCT                       | %        | HBA1C
HbA1c IFCC                       | mmol/mol | HBA1C
C-reaktives Protein              | mg/L     | CRP
Vitesse sédimentation            | mm       | ESR
INR                              |          | INR
eGFR                             | mL/min/1.73m2 | EGFR
HBs-Antigen                      | Index    | HBSAG
Hepatitis B: anti-HBc            | MOC      | ANTIHBC
Hepatitis B-s-AK                 | IE/L     | ANTIHBS
Hepatitis C - AK                 |          | ANTIHCV
Varicella-Zoster Virus IgG       | MOC      | VZVIGG
ß-HCG                            | U/l      | HCG
QuantiFERON-TB Gold Plus         |          | IGRA
Leukozyten (WBC)                 | Tsd/µl   | WBC
Recuento de leucocitos           | 10^3/µL  | WBC
Krwinki białe                    | tys/ul   | WBC
B-LPK                            | 10*9/L   | WBC
GB                               | G/L      | WBC
Neutrophils (Absolute)           | K/uL     | ANC
Neutrophile Granulozyten, absolut| /nl      | ANC
Neutrófilos                      | 10^3/µL  | ANC
Neutrófilos                      | %        | NEUT_PCT
Neutrofili assoluti              | 10^9/L   | ANC
B-Neutrofila granulocyter        | 10*9/L   | ANC
ABS NEUT                         | K/uL     | ANC
Neutrofielen (%)                 | %        | NEUT_PCT
Limfocyty                        | %        | LYMPH_PCT
Lymphs (Absolute)                | K/uL     | ALC
B-Hb                             | g/L      | HB
Emoglobina                       | g/L      | HB
Hb (Hämoglobin)                  | g/dl     | HB
Haemoglobin concentration        | g/L      | HB
Płytki krwi                      | tys/ul   | PLT
Piastrine                        | 10^9/L   | PLT
ALAT (TGP)                       | UI/L     | ALT
GPT/ALAT                         | U/l      | ALT
P-ALAT                           | µkat/L   | ALT
GPT (ALAT) 37°C                  | U/l      | ALT
Serum ALT level                  | iu/L     | ALT
Aminotransferaza alaninowa (ALT) | U/l      | ALT
Transaminases TGO                | UI/L     | AST
PAL                              | UI/L     | ALP
Fosfatasa alcalina               | U/L      | ALP
Bilirubin ges.                   | mg/dl    | TBIL
S-Total Bilirubin                | umol/L   | TBIL
Kreatinin i. S.                  | µmol/l   | CREAT
Kreatinin (enzym.)               | mg/dl    | CREAT
Creatinina en suero              | mg/dL    | CREAT
Kreatynina w surowicy            | mg/dl    | CREAT
Creatinine, S                    | mg/dL    | CREAT
CK (Creatinkinase)               | U/l      | CK
Kinaza kreatynowa (CK)           | U/l      | CK
Colesterol total                 | mg/dL    | CHOL
Cholesterol całkowity            | mg/dl    | CHOL
LDL Chol Calc (NIH)              | mg/dL    | LDL
P-LDL-Kolesterol                 | mmol/L   | LDL
fP-Triglycerid                   | mmol/L   | TG
PCR                              | mg/L     | CRP
VS                               | mm/h     | ESR
loinc:1742-6                     |          | ALT
LOINC: 770-8                     | %        | NEUT_PCT
loinc:26474-7                    | %        | ALC
"""


@pytest.mark.parametrize("line", NAMES.strip("\n").splitlines())
def test_a_name_with_its_unit_is_the_analyte(line: str) -> None:
    name, unit, code = line.split("|")
    found = find(name, unit.strip())
    assert found is not None
    assert found.code == code.strip()


# What a substring match gets wrong, and names whose unit shows that something else was measured.
LOOK_ALIKES = """
Phenylalanine                             | umol/L
Alanine                                   | umol/L
Alpha-1-Globulin                          | %
gamma-Globuline                           | %
Gamma-Globulin                            | %
Cholesterin / HDL                         | mmol/mmol
Cholesterin/HDL-Cholesterin               |
Cholinesterase                            | kU/l
Hémoglobine glyquée totale                | %
Hämoglobin-Zylinder                       |
Blut, Hämoglobin                          |
HEMOGLOBIN, ARTERIAL                      | g/dL
CCPK                                      | U/ml
ASL (AST)                                 | U/ml
Kreatinin im Urin                         | mmol/l
Creatinine-Random Urine                   | mg/dL
Albumin/Creat Ratio                       | mg/g crea
Albumin Urine                             | mg/dL
Mikroalbumin                              | mg/l
Albumin-korrigiertes Calcium              | mmol/l
Albumin                                   | %
Monozyten                                 | %
Eosinophile                               | %
Basophile                                 | %
Lymphozyten reaktiv                       |
Leukozyten-Zylinder                       |
Erythroblasten                            | /100 Lc
eGFR (MDRD)                               | mL/min/1.73m2
GFR (Cystatin C)                          | mL/min
HbA1c IFCC                                | %
Mittlere Glucose/8-12 Wochen              | mmol/l
Glukose postprandial                      | mmol/l
Hepatitis B: anti-HBc IgM                 | MOC
Hepatitis B: HBe-Antigen                  | MOC
beta-HCG (Tumormarker)                    | mIU/ml
hs-CRP                                    | mg/L
LDL/HDL                                   |
AST/ALT                                   |
Cholesterol (HDL)                         | mg/dL
CK-MB (CK)                                | U/l
S-Hemoglobin                              | g/L
Hämoglobin im Serum                       | mg/l
B-Lymphozyten                             | 10*9/L
Lymphocytes, B                            | 10*9/L
B-Glukose                                 | mmol/L
LDL-P                                     | nmol/L
Total protein                             | g/L
U-Albumin                                 | mg/L
dU-Kreatinin                              | mmol/L
Creatinina en orina                       | mg/dL
Bilirrubina indirecta                     | mg/dL
Neutrophils %                             | 10*9/L
Neutrophils, absolute                     | %
PCR                                       |
PCR                                       | copies/mL
GR                                        | 10*9/L
Polys                                     | %
total                                     |
TC                                        | G/l
NA                                        | mmol/l
5040                                      | %
loinc:98979-9                             |
loinc:62238-1                             | mL/min/1.73m2
loinc:33914-3                             | mL/min/1.73m2
loinc:2339-0                              | mg/dL
loinc:30522-7                             | mg/L
                                          |
"""


@pytest.mark.parametrize("line", LOOK_ALIKES.strip("\n").splitlines())
def test_a_look_alike_is_nothing_we_follow(line: str) -> None:
    name, _, unit = line.partition("|")
    assert find(name, unit.strip()) is None


@pytest.mark.parametrize(
    "beside", ["im Urin", "(Urin)", ", urine", "ratio", "quotient", "index", "fraction", "variant", "F"]
)
def test_no_other_word_beside_a_name_is_passed_over(beside: str) -> None:
    for analyte in ANALYTES.values():
        assert find(f"{analyte.name} {beside}") is None, (analyte.code, beside)


def test_hba1c_is_no_haemoglobin_and_haemoglobin_no_hba1c() -> None:
    assert find("loinc:4548-4") is ANALYTES["HBA1C"]
    assert find("loinc:718-7") is ANALYTES["HB"]


def test_a_loinc_code_outweighs_the_name() -> None:
    assert match(["5792-7"], ["Glucose"], "mg/dL") is None  # urine glucose by test strip
    assert match(["2339-0"], ["Glucose"], "mg/dL") is None  # whole blood
    assert match(["9999-9", "2345-7"], ["something local"], "mg/dL") is ANALYTES["GLU"]


def test_without_a_loinc_code_the_first_known_name_counts() -> None:
    assert match([], ["07240", "", "ALT (GPT)"], "U/L") is ANALYTES["ALT"]
    assert match(["", " "], ["Phenylalanine"], "umol/L") is None


def test_the_visit_panel_is_the_fifteen_that_are_typed() -> None:
    assert PANELS["MONITORING"] == (
        "WBC", "ANC", "ALC", "HB", "PLT", "ALT", "AST", "ALP", "TBIL", "CREAT", "CHOL", "LDL", "HDL", "TG", "CK",
    )  # fmt: skip
    assert PANELS["LIPIDS"] == ("CHOL", "HDL", "TG", "LDL")


def test_every_analyte_but_the_computed_non_hdl_is_in_a_panel() -> None:
    assert {code for codes in PANELS.values() for code in codes} == set(ANALYTES) - {"NONHDL"}


@pytest.mark.parametrize(
    ("code", "text", "said"),
    [
        ("HBSAG", "Negativ", "negative"),
        ("HBSAG", "non-reactive", "negative"),
        ("HBSAG", "Reactive", "positive"),
        ("ANTIHBC", "grenzwertig", "borderline"),
        ("IGRA", " POS. ", "positive"),
        ("IGRA", "Indeterminate", "indeterminate"),
        ("VZVIGG", "immune", "positive"),
        ("VZVIGG", "not immune", "negative"),
        ("HBVDNA", "Target not detected", "not detected"),
        ("HBVDNA", "negative", "not detected"),
        ("HBVDNA", "positive", "detected"),
        ("UPROT", "Spur", "trace"),
        ("UPROT", "2+", "positive"),
        ("HBSAG", "ujemny", "negative"),
        ("HBSAG", "Nicht reaktiv.", "negative"),
        ("HBSAG", "negativ (S/CO 0.2)", "negative"),
        ("ANTIHCV", "Não reagente", "negative"),
        ("IGRA", "Negative\nTB1-Nil: 0.01 IU/mL", "negative"),
        ("IGRA", "Negative\nPositive", None),
        ("IGRA", "TB1-Nil: 0.01 IU/mL\nNegative", None),
        ("HBSAG", "NR", None),
        ("HBSAG", "-", None),
        ("HBSAG", "see comment", None),
        ("HCG", "borderline", None),
        ("ALT", "positive", None),
    ],
)
def test_a_worded_result_is_one_of_the_analytes_words(code: str, text: str, said: str | None) -> None:
    assert word(ANALYTES[code], text) == said


def test_every_word_of_an_analyte_is_understood_as_itself() -> None:
    for analyte in ANALYTES.values():
        assert [word(analyte, value) for value in analyte.values] == list(analyte.values)


def test_the_digest_is_of_the_file() -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", digest())


def test_a_trial_reported_in_two_systems_of_units_is_one_set_of_values(shared: Path) -> None:
    """Every result of the CDISC pilot, once in conventional and once in SI units, is the same canonical figure."""
    compared = set()
    with gzip.open(shared / "data" / "cdisc_pilot" / "sdtm_lb.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            known = find(row["LBTESTCD"], row["LBORRESU"])
            if known is None or not row["LBSTRESN"] or not NUMERIC.fullmatch(row["LBORRES"]):
                continue
            conventional = to_canonical(known, Decimal(row["LBORRES"]), row["LBORRESU"])
            standard = to_canonical(known, Decimal(row["LBSTRESN"]), row["LBSTRESU"])
            if standard is None:  # MCHC in mmol/L is not a unit we take
                assert (known.code, row["LBSTRESU"]) == ("MCHC", "mmol/L")
                continue
            assert conventional is not None
            # Rounding in the file, and 88.4 against 88.42: half a per cent, or half of the last digit kept.
            assert abs(conventional - standard) <= max(conventional / 200, Decimal("0.0051")), row
            compared.add(known.code)
    assert compared >= {"ALB", "ALT", "TBIL", "CHOL", "CK", "CREAT", "GLU", "HB", "HCT", "ALC", "PLT", "RBC", "WBC"}


@pytest.mark.parametrize(
    ("called", "way"),
    [
        ("loinc:13457-7", "calculated"), ("loinc:18262-6", "direct"), ("LDL direct", "direct"),
        ("5040;LDL-Cholesterin (berechnet)", "calculated"), ("loinc:2089-1", ""), ("LDL", ""), ("", ""),
    ],
)  # fmt: skip
def test_what_an_ldl_is_called_says_how_it_was_had(called: str, way: str) -> None:
    assert method("LDL", called) == way
    assert method("HDL", called) == ""


@pytest.mark.parametrize("said", ["not_detected", "Not detected", "TND"])
def test_hepatitis_b_dna_that_is_not_detected_is_a_word(said: str) -> None:
    assert word(ANALYTES["HBVDNA"], said) == "not detected"
