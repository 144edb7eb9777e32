"""What a file is, by its content; and what is said where it is nothing that is read."""

import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest

from tests.formats.files import ZONE, opened, rows
from tracker.domain.errors import Refused
from tracker.formats import ORDER, read
from tracker.formats.interchange import LAYOUTS, TABLES
from tracker.formats.sdtm import LAYOUTS as SDTM_LAYOUTS


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_is_known_by_all_its_columns_and_by_those_it_needs(kind: str) -> None:
    needed = [column.name for column in LAYOUTS[kind].columns if column.required]
    if kind == "patients":
        needed.append("birth_date")
    for names in (TABLES[kind], needed):
        assert opened(",".join(names) + "\n").kind == kind
        assert opened(";".join(reversed(names)) + "\n").kind == kind


def test_every_kind_has_its_place_in_the_order() -> None:
    assert sorted(ORDER) == sorted({*TABLES, *(layout.kind for layout in SDTM_LAYOUTS.values()), "documents"})
    assert ORDER.index("patients") < ORDER.index("courses") < ORDER.index("course_events") < ORDER.index("results")
    assert ORDER.index("courses") < ORDER.index("exposures") < ORDER.index("results")
    assert ORDER.index("patients") < ORDER.index("ranges") < ORDER.index("results"), "ranges are for known clinics"
    assert ORDER[-2:] == ("results", "documents"), "a document is kept with a result of its sample"


def _workbook() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return stream.getvalue()


FOREIGN = {
    "nothing": (b"", "The file is empty"),
    "blanks": (b"\xef\xbb\xbf \r\n\n", "The file is empty"),
    "packed nothing": (gzip.compress(b""), "The file is empty"),
    "JSON": (b'[{"mrn": "1", "value": "5"}]', "JSON"),
    "XML": (b'<?xml version="1.0"?><a/>', "XML"),
    "web page": (b"<!DOCTYPE html><html><body>Sign in</body></html>", "a web page"),
    "XLSX": (_workbook(), "The workbook is damaged or of a kind that is not read"),
    "XLS": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "The workbook is damaged or of a kind that is not read"),
    "ZIP": (b"PK\x03\x04" + b"patients.csv" * 9, "a ZIP archive, which is not read here. Unpack it first"),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF document"),
    "SAS": (b"HEADER RECORD*******LIBRARY HEADER RECORD!!!!!!!0000", "a SAS transport file (XPT)"),
    "bzip2": (b"BZh91AY&SY", "packed in a way that is not unpacked"),
    "packed twice": (gzip.compress(gzip.compress(b"mrn")), "packed in a way that is not unpacked"),
    "ASTM": (b"H|\\^&|||Sysmex^XN\rP|1\rR|1|^^^WBC|5.8\rL|1|N\r", "an ASTM message"),
    "ASTM on the line": (b"\x05\x021H|\\^&|||Sysmex\r\x03A1\r\n", "an ASTM message"),
    "binary": (b"mrn,value\0\0\0\1\2\3", "holds NUL bytes"),
    "UTF-16 without a mark": ("mrn,sex\n1,male\n".encode("utf-16-le"), "holds NUL bytes"),
    "UTF-32": ("mrn,sex\n1,male\n".encode("utf-32"), "UTF-32"),
    "ADaM": (b"STUDYID,USUBJID,PARAMCD,AVAL,ADT\n", "an ADaM analysis dataset (AVAL and PARAMCD)"),
    "SDTM MH": (b"STUDYID,DOMAIN,USUBJID,MHSEQ,MHTERM\n", "SDTM MH is not read; dm, ex, lb and ae are"),
    "SDTM SUPP": (b"STUDYID,RDOMAIN,USUBJID,IDVAR,IDVARVAL,QNAM,QVAL\n", "SDTM SUPP-- is not read"),
    "SDTM trial": (b"STUDYID,DOMAIN,TSSEQ,TSPARM\n", "SDTM TS is not read"),
    "SDTM arms": (b"STUDYID,DOMAIN,ARMCD,ARM\n", "This SDTM dataset is not read; dm, ex, lb and ae are"),
    "SDTM LB in part": (b"STUDYID,USUBJID,LBSEQ,LBTEST,LBSTRESN\n", "SDTM LB, but LBDTC and LBORRES are missing"),
    "a title": (b"Results of March\nmrn,value\n", "says only “Results of March”"),
    "an empty first row": (b"\nmrn,value\n", "The first row is empty"),
    "dollars": (b"primaryid$caseid$sex\n1$2$F\n", "separated by comma, semicolon or tab"),
    "an open mark": (b'mrn,"value\n1,2\n', "quotation marks"),
    "a near miss": (b"mrn,collected at,analyte,value\n", "but collected_at is missing. Rename “collected at” if"),
    "half a table": (b"mrn,analyte,value,unit\n", "come closest to results.csv, but collected_at is missing"),
    "a wide table": (b"id,day,alt,ast\n", "The columns (id, day, alt, ast) are those of no table that is read"),
    "one enormous cell": (b"x" * 200_000 + b",mrn\n", "no table that is read"),
    "too many columns": (b"x," * 5000, "names 5,001 columns"),
    "many columns": (",".join(f"column{n}" for n in range(40)).encode(), "column7, …)"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "words"), FOREIGN.values(), ids=FOREIGN)
def test_what_is_not_read_is_refused_by_its_name(content: bytes, words: str) -> None:
    with pytest.raises(Refused) as refused:
        opened(content)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["ASTM", "SDTM MH", "ADaM", "a wide table", "a title", "binary"])
def test_the_refusal_says_what_is_read(name: str) -> None:
    with pytest.raises(
        Refused, match=r"results.*ranges.*SDTM datasets dm, ex, lb and ae, as CSV.*XLSX.*HL7.*FHIR.*gzip"
    ):
        opened(FOREIGN[name][0])


FHIR = {
    "FHIR": json.dumps({"id": "x", "resourceType": "Patient"}).encode(),
    "FHIR lines": b'{"resourceType":"Patient"}\n{"resourceType":"Patient"}\n',
    "FHIR packed": gzip.compress(b'{"resourceType":"Patient"}'),
    "FHIR XML": b'<?xml version="1.0"?>\n<Patient xmlns="http://hl7.org/fhir"/>',
}


@pytest.mark.parametrize("content", FHIR.values(), ids=FHIR)
def test_fhir_is_known_by_its_content(content: bytes) -> None:
    assert opened(content).format == "fhir"


def test_the_name_of_a_file_says_nothing() -> None:
    assert read("labs.pdf", io.BytesIO(b"mrn,sex\n1,male\n"), ZONE).kind == "patients"


def test_a_drug_list_and_an_observation_are_not_taken_for_one_another() -> None:
    assert opened("mrn,name,started_on,stopped_on\n").kind == "medications"
    assert opened("mrn,on,kind\n").kind == "course_events"
    assert opened("mrn,on,kind,value\n").kind == "observations"


# ----------------------------------------------------------------------------------------- real files

MESSY = {
    "messy_aki.xlsx": "XLSX",
    "messy_glucose.xlsx": "XLSX",
    "messy_infarct.xlsx": "XLSX",
    "openelis_file-import-sample.csv": "no table that is read",
    "openelis_genexpert-results.csv": "says only “GeneXpert Dx System Export Fi…”",
    "openelis_multiskan-fc-results.csv": "no table that is read",
    "openelis_quantstudio5-results.xlsx": "XLSX",
    "senaite_9861x_v4_01.tsv": "The first row is empty",
    "senaite_AQ2.csv": "no table that is read",
    "senaite_Access2.csv": "no table that is read",
    "senaite_SysmexXS-500i.csv": "no table that is read",
    "senaite_VetScanVS2.csv": "no table that is read",
    "senaite__XS-1000i_69638__00-19__23022015_112407_.csv": "no table that is read",
}


def _refusal(path: Path) -> str:
    with path.open("rb") as stream, pytest.raises(Refused) as refused:
        read(path.name, stream, ZONE)
    return str(refused.value)


@pytest.mark.parametrize("name", MESSY)
def test_a_messy_export_is_refused_with_the_reason(name: str, shared: Path) -> None:
    assert MESSY[name] in _refusal(shared / "data" / "messy_tabular" / name)


@pytest.mark.parametrize(
    ("folder", "words", "at_least"),
    [
        ("astm", "an ASTM message", 7),
        ("synthea_csv", "no table that is read", 5),
        ("longitudinal_liver", "no table that is read", 3),
        ("infections", "no table that is read", 2),
        ("immunosuppressant_labs", "no table that is read", 1),
        ("adverse_events", "separated by comma, semicolon or tab", 7),
    ],
)
def test_real_files_of_other_formats_are_refused_by_name(folder: str, words: str, at_least: int, shared: Path) -> None:
    files = [path for path in (shared / "data" / folder).rglob("*") if path.is_file()]
    assert len(files) >= at_least
    assert {path.name for path in files if words not in _refusal(path)} == set()


HL7 = {
    "HL7 v2": b"MSH|^~\\&|LAB|A|||20260301||ORU^R01|1|P|2.5\rPID|1\r",
    "HL7 v2 over MLLP": b"\x0bMSH|^~\\&|LAB\r\x1c\r",
    "HL7 v2 file": b"FHS|^~\\&|LAB\rBHS|^~\\&|LAB\rMSH|^~\\&\r",
    "HL7 v2 batch": b"\r\nBHS|^~\\&|LAB\rMSH|^~\\&\r",
    "HL7 v2 packed": gzip.compress(b"MSH|^~\\&|LAB\r"),
}


@pytest.mark.parametrize("content", HL7.values(), ids=HL7)
def test_hl7_is_recognised_in_its_envelopes(content: bytes) -> None:
    source = opened(content)
    assert (source.format, source.kinds) == ("hl7v2", ("results",))


def test_reading_a_file_that_was_recognised_gives_its_rows() -> None:
    assert [row.number for row in rows("mrn,sex\n1,male\n")] == [2]
