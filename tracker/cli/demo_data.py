"""Made-up patients for the demonstration: no one of them exists. Dates move with the day the demonstration is made."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

from tracker.domain.readings import (
    CourseEventReading,
    CourseReading,
    EventReading,
    LabReading,
    MedicationReading,
    Moment,
    ObservationReading,
    PatientReading,
    Reading,
)

# analyte: (unit, typical value, spread, decimals)
TYPICAL = {
    "WBC": ("10*9/L", "6.4", "0.7", 1), "ANC": ("10*9/L", "3.6", "0.5", 2), "ALC": ("10*9/L", "1.9", "0.25", 2),
    "HB": ("g/dL", "14.1", "0.3", 1), "PLT": ("10*9/L", "252", "22", 0), "ALT": ("U/L", "23", "4", 0),
    "AST": ("U/L", "22", "3", 0), "ALP": ("U/L", "68", "6", 0), "TBIL": ("mg/dL", "0.6", "0.1", 1),
    "CREAT": ("mg/dL", "0.82", "0.05", 2), "CHOL": ("mg/dL", "178", "9", 0), "LDL": ("mg/dL", "92", "5", 0),
    "HDL": ("mg/dL", "57", "3", 0), "TG": ("mg/dL", "96", "12", 0), "CK": ("U/L", "88", "15", 0),
}  # fmt: skip


@dataclass(frozen=True)
class Story:
    """One made-up patient. `course`: what happens from the n-th last visit on, as {analyte: values of the last
    visits}.
    """

    mrn: str
    family: str
    given: str
    sex: str
    born: int
    months: int
    last: dict[str, list[str]] = field(default_factory=dict)
    since_last_visit: int = 6
    protocol: str = "tofacitinib_us"
    events: tuple[EventReading, ...] = ()
    note: str = ""


def _stories(today: date) -> list[Story]:
    def ago(days: int) -> date:
        return today - timedelta(days=days)

    zoster = EventReading(
        "", "infection", "Herpes zoster", ago(5), serious=False, treated=True, site="left T5 dermatome"
    )
    pneumonia = EventReading(
        "", "infection", "Community-acquired pneumonia", ago(9), serious=True, hospitalised=True, treated=True,
        criteria="hospitalisation", site="lung",
    )  # fmt: skip
    cold = EventReading(
        "", "infection", "Upper respiratory tract infection", ago(40), resolved_on=ago(33), serious=False
    )
    return [
        Story(
            "00231",
            "Aldana",
            "Marisol",
            "female",
            1992,
            7,
            {"ANC": ["1.9", "1.2", "0.46"], "WBC": ["4.1", "3.2", "2.4"], "ALC": ["1.3", "0.9", "0.71"]},
            1,
            events=(zoster,),
        ),
        Story(
            "00417",
            "Brandt",
            "Klaus",
            "male",
            1975,
            3,
            {
                "ALT": ["31", "88", "214"],
                "AST": ["28", "70", "176"],
                "TBIL": ["0.7", "1.1", "2.6"],
                "ALP": ["71", "80", "96"],
            },
            1,
        ),
        Story(
            "00102",
            "Chua",
            "Wei Lin",
            "female",
            1998,
            11,
            {"LDL": ["118", "151", "192"], "CHOL": ["199", "236", "284"], "TG": ["110", "140", "171"]},
            5,
        ),
        Story("00518", "Doumbia", "Awa", "female", 1988, 5, {"HB": ["12.9", "11.8", "10.6"]}, 3),
        Story("00339", "Eriksen", "Jonas", "male", 1969, 14, {"ALC": ["0.92", "0.71", "0.62"]}, 12, events=(cold,)),
        Story("00644", "Farrugia", "Elena", "female", 1981, 9, {}, 130),
        Story("00702", "Grabowski", "Piotr", "male", 1994, 4, {"CK": ["140", "420", "1310"]}, 4),
        Story("00755", "Haddad", "Leila", "female", 2001, 6, {"ALC": ["1.4", "<0.6"]}, 2),
        Story("00803", "Ishikawa", "Ren", "unknown", 1990, 5, {"HB": ["13.2", "13.0"]}, 8),
        Story("00861", "Jelinek", "Tomas", "male", 1958, 16, {"CREAT": ["1.1", "1.3", "1.5"]}, 10),
        Story("00874", "Kowalczyk", "Ines", "female", 1997, 2, {}, 20, events=(pneumonia,)),
        Story("00912", "Lindqvist", "Maja", "female", 1985, 12, {"ANC": ["1.4", "0.95", "0.98"]}, 4),
        Story("00933", "Moreau", "Camille", "female", 1979, 18, {}, 9),
        Story("00950", "Nakamura", "Yui", "female", 2003, 8, {}, 15),
        Story(
            "01004",
            "Okafor",
            "Chidi",
            "male",
            1987,
            10,
            {"ANC": ["1.7", "1.6", "1.7"]},
            11,
            note="steady low neutrophils",
        ),
        Story("01017", "Petrov", "Anna", "female", 1991, 3, {"TG": ["180", "220", "228"]}, 7),
        Story("01041", "Quispe", "Rosa", "female", 1976, 20, {}, 30),
        Story("01066", "Rasmussen", "Lars", "male", 1983, 13, {"ALT": ["52", "61", "58"]}, 14),
        Story("01080", "Sandoval", "Diego", "male", 1999, 6, {}, 3, protocol="baricitinib_us"),
        Story("01093", "Tanaka", "Mei", "female", 2004, 5, {"ALC": ["0.9", "0.47"]}, 2, protocol="ritlecitinib_us"),
        Story("01112", "Umarova", "Dilnoza", "female", 1996, 0, {"ANC": ["0.92"]}, 4, note="planned"),
        Story("01138", "Vella", "Marco", "male", 1971, 9, {}, 101),
        Story("01150", "Whitfield", "Grace", "female", 1989, 15, {"PLT": ["168", "152", "141"]}, 6),
        Story("01177", "Yilmaz", "Deniz", "male", 1993, 4, {}, 12),
    ]


def _visits(story: Story, today: date) -> tuple[date, list[date]]:
    """The first dose, and the days of the visits: before it, at six weeks, at three months, then every twelve weeks."""
    last = today - timedelta(days=story.since_last_visit)
    if not story.months:
        return today + timedelta(days=12), [last]
    start = last - timedelta(days=round(story.months * 30.4))
    days = [start - timedelta(days=7), start + timedelta(days=42), start + timedelta(days=91)]
    while days[-1] + timedelta(days=84) < last - timedelta(days=20):
        days.append(days[-1] + timedelta(days=84))
    return start, [day for day in days if day < last - timedelta(days=20)] + [last]


def _labs(story: Story, days: list[date], zone: ZoneInfo) -> Iterator[LabReading]:
    dice = Random(story.mrn)  # noqa: S311 - made-up values, the same each time
    for visit, day in enumerate(days):
        at = datetime.combine(day, time(8, 10 + dice.randrange(40)), zone)
        for analyte, (unit, typical, spread, decimals) in TYPICAL.items():
            left = len(days) - visit
            told = story.last.get(analyte, [])
            drawn = (
                Decimal(str(round(dice.gauss(float(typical), float(spread)), decimals)))
                if decimals
                else Decimal(round(dice.gauss(float(typical), float(spread))))
            )
            value = told[-left] if left <= len(told) else format(drawn, "f")
            yield LabReading(
                story.mrn, Moment(at.astimezone(ZoneInfo("UTC")), day, time_known=True), analyte, value, unit,
                laboratory="Hospital laboratory", accession=f"{story.mrn}-{day:%y%m%d}",
            )  # fmt: skip


def readings(today: date, zone: ZoneInfo) -> dict[str, list[Reading]]:
    """Everything of the demonstration's patients, by table."""
    found: dict[str, list[Reading]] = {
        name: []
        for name in ("patients", "courses", "course_events", "medications", "observations", "adverse_events", "results")
    }
    for story in _stories(today):
        start, days = _visits(story, today)
        born = date(story.born, 3 + int(story.mrn) % 9, 1 + int(story.mrn) % 27)
        found["patients"].append(PatientReading(story.mrn, story.family, story.given, born, story.sex))
        mg, times = {"tofacitinib_us": ("5", 2), "baricitinib_us": ("2", 1), "ritlecitinib_us": ("50", 1)}[
            story.protocol
        ]
        found["courses"].append(
            CourseReading(
                story.mrn, story.protocol, start, indication="alopecia areata", dose_mg=Decimal(mg), times_per_day=times
            )
        )
        found["observations"] += _observations(story, start, today)
        found["adverse_events"] += [event._replace(mrn=story.mrn) for event in story.events]
        found["results"] += _labs(story, days, zone)
        found["results"] += _screening(story, start, zone, today)
    found["course_events"].append(
        CourseEventReading("01041", today - timedelta(days=25), "hold", reason="elective surgery")
    )
    found["medications"].append(
        MedicationReading("01150", "clarithromycin", ("strong_cyp3a4_inhibitor",), today - timedelta(days=6))
    )
    return found


def _observations(story: Story, start: date, today: date) -> Iterator[ObservationReading]:
    begun = min(start, today) - timedelta(days=7)
    yield ObservationReading(story.mrn, begun, "weight_kg", "82" if story.sex == "male" else "64")
    if story.sex == "female":
        yield ObservationReading(story.mrn, begun, "pregnancy_status", "not pregnant")
    yield ObservationReading(story.mrn, begun, "zoster_vaccine", "recombinant, two doses")
    yield ObservationReading(story.mrn, begun, "boxed_risk", "none")
    for months, score in ((0, "78"), (3, "61"), (6, "34"), (9, "18"), (12, "12")):
        day = begun + timedelta(days=round(months * 30.4))
        if months <= story.months and day <= today:
            yield ObservationReading(story.mrn, day, "salt", score)


def _screening(story: Story, start: date, zone: ZoneInfo, today: date) -> Iterator[LabReading]:
    day = min(start, today) - timedelta(days=12)
    at = datetime.combine(day, time(9, 0), zone).astimezone(ZoneInfo("UTC"))
    for analyte in ("IGRA", "HBSAG", "ANTIHBC", "ANTIHCV"):
        value = "indeterminate" if (analyte, story.mrn) == ("IGRA", "01177") else "negative"
        yield LabReading(story.mrn, Moment(at, day, time_known=True), analyte, value, laboratory="Hospital laboratory")
