"""What the heading of a column means: a role that columns have, or a test with the unit printed beside it.

A heading counts as a whole, never in part: “Sample ID” is no patient and “Cholesterol/HDL ratio” no HDL.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

from tracker.domain.units import Analyte, dimension, normal_unit

Find = Callable[[str, str], Analyte | None]
"""Which analyte a name with a unit stands for, None where it cannot be told."""

# What a column is for, in words.
ROLES: Mapping[str, str] = {
    "mrn": "the record number",
    "date": "the day the sample was taken",
    "time": "the time of day",
    "year": "the year",
    "month": "the month",
    "day": "the day of the month",
    "test": "the name of the test",
    "code": "the laboratory's code or the LOINC",
    "value": "the result",
    "unit": "the unit",
    "range": "the printed range",
    "low": "the lower bound of the range",
    "high": "the upper bound of the range",
    "flag": "the laboratory's flag",
    "laboratory": "the laboratory",
    "accession": "the number of the sample or order",
    "status": "the status",
    "category": "the category",
    "specimen": "the kind of sample",
    "panel": "the panel or order",
    "birth_date": "the birth date, to check whose the row is",
}

_SURE = {
    "mrn": (
        "mrn; patient id; patientid; pat id; patid; patient no; patient number; patient nr; patient; patient "
        "identifier; pat nr; patnr; patienten nr; patienten id; patientennummer; patientnummer; record number; "
        "medical record number; record no; hospital number; hospital no; chart number; numéro de patient; numéro "
        "patient; n patient; id patient; ipp; usubjid; pat mrn id; mrn id; nhc; nº historia; n historia clínica; nº "
        "historia clínica; historia clínica; número de historia; número de historia clínica; id paciente; id del "
        "paciente; número de paciente; id paziente; codice paziente; numero paziente; nr pacjenta; id pacjenta; "
        "identyfikator pacjenta; patiëntnummer; patiëntnr; patiënt id; id do paciente; nº de processo; n de "
        "processo; número de processo; patient id nr; patient id number"
    ),
    "date": (
        "date; datum; date time; datetime; datum uhrzeit; collected; collected at; collected on; collected date "
        "time; collected date; collected dt tm; collection dt tm; date time collected; date and time collected; "
        "collection date and time; specimen collected date time; collection date; collection date time; collection "
        "datetime; date collected; date of collection; sample date; sampling date; date of sample; date of "
        "sampling; drawn; draw date; date drawn; blood draw date; specimen date; specimen collected; entnahme; "
        "entnahmedatum; abnahme; abnahmedatum; probendatum; probenentnahme; datum der entnahme; date de "
        "prélèvement; date prélèvement; prélèvement; prélevé le; fecha; fecha extracción; fecha de extracción; "
        "fecha toma; fecha de toma; fecha muestra; fecha de la muestra; fecha de toma de muestra; data prelievo; "
        "data del prelievo; data di prelievo; data pobrania; data pobrania materiału; afnamedatum; datum afname; "
        "afname; afnamedatum tijd; data da colheita; data de colheita; data colheita; data da coleta; data de "
        "coleta; provtagningsdatum; provtagningstid; provtagningsdag; prøvetagningsdato; specimn taken time; "
        "specimen taken time; taken time; entnahmezeitpunkt; abnahmezeitpunkt; collection time stamp"
    ),
    "time": (
        "time; uhrzeit; zeit; heure; hora; ora; godzina; tijd; tid; klockslag; sample time; sampling time; "
        "collection time; entnahmezeit; abnahmezeit; time collected; time of collection; heure de prélèvement; "
        "heure prélèvement; hora extracción; ora prelievo; afnametijd; hora da colheita; godzina pobrania"
    ),
    "year": "year; jahr; année; yyyy; collection year; sample year",
    "month": "month; monat; mois; mm; collection month; sample month",
    "day": "day; tag; jour; dd; collection day; sample day",
    "test": (
        "test; test name; testname; analyte; analyt; parameter; assay; examination; investigation; description; "
        "bezeichnung; untersuchung; analyse; analysis; component; lab test; laborwert; analyte name; paramètre; "
        "test description; component name; testbezeichnung; messgröße; prueba; determinación; análisis; magnitud; "
        "parámetro; esame; analita; prestazione; parametro; badanie; nazwa badania; parametr; bepaling; onderzoek; "
        "analyt naam; análise; exame; analys; analysnamn; undersökning; exam; libellé"
    ),
    "code": "code; test code; testcode; loinc; loinc code; analyte code; local code",
    "value": (
        "value; result; wert; ergebnis; resultat; résultat; valeur; result value; test result; messwert; befund; "
        "ord value; analyte value; resultado; valor; risultato; esito; valore; wynik; wartość; uitslag; resultaat; "
        "waarde; värde"
    ),
    "unit": (
        "unit; units; einheit; einheiten; unité; unités; result unit; result units; uom; lab unit; lab units; unit "
        "of measure; reference unit; maßeinheit; unidad; unidades; unità; unità di misura; u m; um; jednostka; "
        "jednostki; eenheid; eenheden; unidade; enhet; enhed"
    ),
    "range": (
        "range; reference range; ref range; reference; referenzbereich; referenz; normal range; normalbereich; "
        "norm; intervalle de référence; valeurs de référence; ref interval; reference interval; normalwert; "
        "normalwerte; referenzwert; referenzwerte; sollwert; sollbereich; norme; normes; valeurs usuelles; valores "
        "de referencia; valor de referencia; intervalo de referencia; rango de referencia; rango; valori di "
        "riferimento; valore di riferimento; intervallo di riferimento; norma; zakres referencyjny; wartości "
        "referencyjne; referentiewaarde; referentiewaarden; referentie; referentie interval; referentieinterval; "
        "valores de referência; valor de referência; intervalo de referência; referensintervall; referensvärde; "
        "referenceinterval"
    ),
    "low": (
        "ref low; lab low; low; lower limit; lln; range low; reference low; untergrenze; min; normal low; lower; "
        "lower bound; lower reference; lower reference limit; ref lower; ref min; ref range low; reference range "
        "low; normal range low; referenz von; normwert von; ref untergrenze; untere grenze; untere referenzgrenze"
    ),
    "high": (
        "ref high; lab high; high; upper limit; uln; range high; reference high; obergrenze; max; normal high; "
        "upper; upper bound; upper reference; upper reference limit; ref upper; ref max; ref range high; reference "
        "range high; normal range high; referenz bis; normwert bis; ref obergrenze; obere grenze; obere "
        "referenzgrenze"
    ),
    "flag": (
        "flag; flags; lab flag; abnormal flag; abnormal; markierung; interpretation flag; result flag; result flag "
        "c; grenzwertindikator; grenzwert indikator; bewertung; kennzeichnung; flaga; marcador; alerta; asterisk; h "
        "l"
    ),
    "laboratory": "laboratory; lab; labor; laboratoire; lab name; laboratory name; performing lab",
    "accession": (
        "accession; accession number; accession no; sample id; sampleid; sample no; sample id no; sample number; "
        "specimen id; specimen number; order number; order no; auftragsnummer; probennummer; proben nr; lab no; lab "
        "number; sample name; sample ctrl id; numéro d échantillon; order proc id; nº muestra; nº de muestra; n "
        "muestra; nr zlecenia; numer zlecenia; ordernummer; monsternummer; numero campione"
    ),
    "status": "status; result status; lab status; befundstatus; ergebnisstatus",
    "category": "category",
    "specimen": (
        "specimen; specimen type; specimen source; specimen description; sample type; sample material; sample "
        "source; material; probenmaterial; probenart; untersuchungsmaterial; materialart; matrix; body fluid; "
        "nature; nature du prélèvement; muestra; tipo de muestra; tipo muestra; materiale; campione; tipo campione; "
        "materiał; rodzaj materiału; materiaal; materiaalsoort; amostra; tipo de amostra; provmaterial; provtyp; "
        "lbspec"
    ),
    "panel": (
        "panel; panel name; order name; order description; order; ordered test; profile; profile name; battery; "
        "test group; test panel; group name; lab section; section; gruppe; testgruppe; untersuchungsgruppe; "
        "analysengruppe; profil; chapitre; perfil; grupo; gruppo; grupa; groep"
    ),
    "birth_date": (
        "dob; dofb; d o b; date of birth; birth date; birthdate; birth day; geburtsdatum; geb datum; geboren; date "
        "de naissance; né le; née le; né(e) le; fecha de nacimiento; fecha nacimiento; f nacimiento; data di "
        "nascita; data nascita; data urodzenia; geboortedatum; data de nascimento; födelsedatum; fødselsdato"
    ),
}
_PERHAPS = {
    "mrn": (
        "id; study id; studyid; subject; subject id; case; case no; case id; fallnummer; fall nr; pid; person id; "
        "participant; participant id; customer no; record id; studysubjectid; study subject id; subjid; "
        "personnummer; paciente; paziente; pacjent; patiënt"
    ),
    "date": (
        "analysis date; result date; result time; result date time; resulted; resulted date time; resulted date; "
        "resulted time; report date; reported; received; date received; received date; test date; load date time; "
        "record date; load date; comp time; run date; befunddatum; messdatum; visit date; visit; validated; export "
        "date; eingang; eingangsdatum; lab date; labdate; lbdat; lab draw date; data; dato; fecha resultado; fecha "
        "de resultado; data referto; data wyniku; uitslagdatum"
    ),
}


def _table(vocabulary: Mapping[str, str]) -> Mapping[str, str]:
    return {word.strip(): role for role, words in vocabulary.items() for word in words.split(";")}


_ROLE, _PERHAPS_ROLE = _table(_SURE), _table(_PERHAPS)
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_MARKS = re.compile(r"[\s._\-:/#°'’`]+")


def role(heading: str) -> tuple[str, bool]:
    """(what the column is for, whether that is certain); "" where the heading says neither."""
    apart = _HUMP.sub(" ", heading)  # `AnalyteName`
    for words in (_MARKS.sub(" ", written).strip().casefold() for written in (heading, apart)):
        if words in _ROLE:
            return _ROLE[words], True
        if words in _PERHAPS_ROLE:
            return _PERHAPS_ROLE[words], False
    return "", False


# ------------------------------------------------------------------------------------------------ tests and units


class Printed(NamedTuple):
    """A test as a heading prints it: figures below it times `factor` are in `unit`, which is "" where none is
    printed.
    """

    name: str
    unit: str = ""
    factor: Decimal = Decimal(1)


_OPENING, _CLOSING = re.compile(r"\s*[(\[]\s*"), re.compile(r"\s*[)\]]$")
_GAP = re.compile(r"[\s,;_]+(?:in\s+)?")
_SCALED = re.compile(
    r"^[x×*]?\s*10(?:\s*[\^*]?\s*\(?(?P<power>[+-]?\d{1,2})\)?)?\s*(?P<unit>[/%a-zµμ].*)$", re.IGNORECASE
)
_PER_MICROLITRE = ("/uL", "10*3/uL", "10*6/uL")


_GREATEST_POWER = 12  # of units that laboratories print; `10^39/uL` is a slip


def unit_printed(text: str) -> tuple[str, Decimal] | None:
    """A unit as it is printed, and what figures in it are multiplied with: `10/uL` is tens of cells in a microlitre.
    None where the text is no unit.
    """
    plain = text.strip()
    if dimension(plain):
        return plain, Decimal(1)
    scaled = _SCALED.match(plain)
    power = int(scaled["power"] or 1) if scaled else 0
    if scaled is None or not dimension(scaled["unit"]) or abs(power) > _GREATEST_POWER:
        return None
    return normal_unit(scaled["unit"]), Decimal(10) ** power


def printed(heading: str, find: Find) -> Printed | None:
    """The test of a heading: `ALT (U/L)`, `WBC x10^3/uL`, `PLT(10^4/uL)`, or a name alone that is an analyte's.

    None where it is no test. A name that is no analyte's is a test where a unit stands beside it.
    """
    whole = " ".join(heading.split())
    for opening in _OPENING.finditer(whole) if _CLOSING.search(whole) else ():
        name, unit = whole[: opening.start()], unit_printed(_CLOSING.sub("", whole[opening.end() :]))
        if name and unit:
            return _fitting(name, *unit, find)
    for gap in _GAP.finditer(whole):
        name, unit = whole[: gap.start()], unit_printed(whole[gap.end() :])
        if name and unit and find(name, unit[0]) is not None:
            return _fitting(name, *unit, find)
    return Printed(whole) if find(whole, "") is not None else None


def _fitting(name: str, unit: str, factor: Decimal, find: Find) -> Printed:
    """With the unit among those of a count that keeps the analyte's own: 520 times 10^4/uL is 5.2 of 10*6/uL."""
    analyte = find(name, unit)
    if analyte is not None and normal_unit(unit) == "/uL" and factor != 1:
        for step, larger in enumerate(_PER_MICROLITRE):
            if larger in analyte.conversions:
                return Printed(name, larger, factor / Decimal(1000) ** step)
    return Printed(name, unit, factor)
