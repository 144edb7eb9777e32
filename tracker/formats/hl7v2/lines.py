"""Where segments begin. Lines may end in CR, LF or CRLF, mixed; a line that begins no segment goes on with the one
before, because laboratories break reports over lines and some lines of a report look like a segment (`TSH: 2.4`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

ENVELOPES = frozenset(("FHS", "BHS", "BTS", "FTS"))
_NAMES = """
    ABS ACC ADD ADJ AFF AIG AIL AIP AIS AL1 APR ARQ ARV AUT BLC BLG BPO BPX BTX BUI CDM CDO CER CM0 CM1 CM2
    CNS CON CSP CSR CSS CTD CTI CTR DB1 DEV DG1 DMI DON DPS DRG DSC DSP DST ECD ECR EDU EQL EQP EQU ERQ ERR
    EVN FAC FT1 GOL GP1 GP2 GT1 IAM IAR IIM ILT IN1 IN2 IN3 INV IPC IPR ISD ITM IVC IVT LAN LCC LCH LDP LOC
    LRL MCP MFA MFE MFI MRG MSA MSH NCK NDS NK1 NPU NSC NST NTE OBR OBX ODS ODT OH1 OH2 OH3 OH4 OM1 OM2 OM3
    OM4 OM5 OM6 OM7 OMC ORC ORG OVR PAC PCE PCR PD1 PDA PDC PEO PES PID PKG PM1 PMT PR1 PRA PRB PRC PRD PRT
    PSG PSH PSL PSS PTH PV1 PV2 PYE QAK QID QPD QRD QRF QRI RCP RDF RDT REL RF1 RFI RGS RMI ROL RQ1 RQD RXA
    RXC RXD RXE RXG RXO RXR RXV SAC SCD SCH SCP SDD SFT SGH SGT SHP SID SLT SPM STF STZ TCC TCD TQ1 TQ2 TXA
    UAC UB1 UB2 URD URS VAR VND
"""
_KNOWN = ENVELOPES | frozenset(_NAMES.split())  # of HL7 v2.3 to 2.9; what begins with Z is a sender’s own

_NAME = re.compile(r"[A-Z][A-Z0-9]{2}", re.ASCII)
_HEADER = re.compile(r"MSH([^\w\s])[^\w\s]{1,6}\1")
_FIRST_HEADER = re.compile(r"MSH[^\w\s]")
_FRAMING = str.maketrans("", "", "\x0b\x1c\ufeff")
_LAST_OF_TEXT = 5  # OBX-5; a line break behind it breaks no report


def split(text: str) -> Iterator[tuple[int, str]]:
    """(line, segment) with the lines joined that a field was broken over."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_FRAMING)
    held = Held(0, [])
    by = ""
    for number, line in enumerate(text.split("\n"), start=1):
        bare = line.strip()
        if _begins(bare, held, by):
            if held.lines:
                yield held.begun, "\n".join(held.lines)
            by = bare[3] if bare.startswith("MSH") else by
            held = Held(number, [line.lstrip()], line.count(by) if by else 0)
        elif bare and held.lines:
            held.lines.append(line)
            held.fields += line.count(by) if by else 0
    if held.lines:
        yield held.begun, "\n".join(held.lines)


@dataclass(slots=True)
class Held:
    """The segment that is being put together: where it began, its lines, and how many delimiters they hold."""

    begun: int
    lines: list[str]
    fields: int = 0


def _begins(line: str, held: Held, by: str) -> bool:
    """Whether a line begins a segment: by its name and the delimiter behind it. A name that HL7 does not know, or one
    that stands alone, begins none within a report.
    """
    if line.startswith("MSH"):
        return bool((line[3:4] == by or _HEADER.match(line)) if by else _FIRST_HEADER.match(line))
    name = line[:3]
    if not by:  # before the first header only envelopes come
        return name in ENVELOPES
    if not _NAME.fullmatch(name) or line[3:4] not in ("", by):
        return False
    if line[3:4] and (name in _KNOWN or name.startswith("Z")):
        return True
    return not _in_text(held, by)


def _in_text(held: Held, by: str) -> bool:
    """Whether a text is being told: a note, or a value that is no number and not ended yet."""
    first = held.lines[0] if held.lines else ""
    if first.startswith("NTE"):
        return True
    numeric = first.split(by, 3)[2:3] in (["NM"], ["SN"])
    return first.startswith("OBX") and not numeric and held.fields <= _LAST_OF_TEXT
