"""The acknowledgement of a message: AA it is filed, AE a part of it is not, AR nothing of it is."""

from datetime import UTC, datetime

from tracker.formats.hl7v2.er7 import Delimiters, Segment, messages

ACCEPTED, IN_PART, REJECTED = "AA", "AE", "AR"
_PLAIN = Delimiters("|")
_LONGEST = 400


def answer(content: bytes, code: str, said: str, at: datetime) -> bytes:
    """An ACK in the sender's own delimiters, with a sentence in MSA-3. `at` is when it was settled."""
    first = next(messages(content), None)
    header = first.header if first else Segment("MSH|^~\\&", 1, _PLAIN)
    by = header.by
    f = by.field
    signs = f"{by.component}{by.repetition}{by.escape}{by.sub}"
    stamp = at.astimezone(UTC).strftime("%Y%m%d%H%M%S+0000")
    control = header.part(10)[:40]
    ack = [
        f"MSH{f}{signs}", header.field(5), header.field(6), header.field(3), header.field(4), stamp, "",
        f"ACK{by.component}R01", control or stamp[:14], header.part(11)[:1] or "P", header.part(12) or "2.5",
        "", "", "", "", "", "UNICODE UTF-8",
    ]  # fmt: skip
    msa = ["MSA", code, control, _escaped(said[:_LONGEST], by)]
    return "\r".join((f.join(ack), f.join(msa), "")).encode()


def _escaped(text: str, by: Delimiters) -> str:
    if not by.escape:
        return "".join(" " if c in (by.field, by.component, by.repetition, by.sub) else c for c in text)
    signs = ((by.escape, "E"), (by.field, "F"), (by.component, "S"), (by.repetition, "R"), (by.sub, "T"))
    for sign, letter in signs:
        text = text.replace(sign, f"\0{letter}\0")
    return " ".join(text.replace("\0", by.escape).split())
