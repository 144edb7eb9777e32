"""A file is what it is, whatever it is called; a part of one is refused."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pictures import jpeg, pdf, png
from tracker.domain.errors import Refused
from tracker.formats.documents import kind_of

WHOLE = {"application/pdf": pdf("a report"), "image/png": png("a report"), "image/jpeg": jpeg("a report")}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_whole_file_is_known_by_its_content(kind: str) -> None:
    assert kind_of(WHOLE[kind]) == kind


@pytest.mark.parametrize("kind", WHOLE)
def test_a_file_cut_anywhere_is_refused(kind: str) -> None:
    whole = WHOLE[kind].rstrip()  # the line's end after a PDF is none of it
    for length in range(len(whole)):
        with pytest.raises(Refused):
            kind_of(whole[:length])


def test_a_flipped_bit_in_a_picture_with_check_sums_is_noticed() -> None:
    whole = png("a report")
    for place in range(8, len(whole)):
        damaged = whole[:place] + bytes((whole[place] ^ 1,)) + whole[place + 1 :]
        with pytest.raises(Refused, match="damaged"):
            kind_of(damaged)


def test_the_thumbnail_in_a_photograph_is_not_its_end() -> None:
    whole = jpeg("\xff\xd9 of the thumbnail")
    assert kind_of(whole) == "image/jpeg"
    with pytest.raises(Refused, match="cut short"):
        kind_of(whole[:-2])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The file is empty."),
        (b"PK\x03\x04rest", "a ZIP archive or an Office document"),
        (b"\0\0\0\x18ftypheic", "a HEIC or AVIF picture"),
        (b"II*\0rest", "a TIFF picture"),
        (b"MSH|^~\\&|", "belongs into Import"),
        (b"<html><script>alert(1)</script>", "a file of another kind"),
        (b" %PDF-1.4 startxref 0 %%EOF", "a file of another kind"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a file of another kind"),
    ],
)
def test_what_is_not_kept_is_named(content: bytes, words: str) -> None:
    with pytest.raises(Refused, match=words):
        kind_of(content)


@given(st.sampled_from([b"", *(whole[:12] for whole in WHOLE.values())]), st.binary(max_size=80))
def test_whatever_comes_is_known_or_refused(start: bytes, rest: bytes) -> None:
    with suppress(Refused):
        assert kind_of(start + rest) in WHOLE
