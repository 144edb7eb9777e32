"""The packaged word lists for infections and other events, loaded once, with the digest of the file."""

import hashlib
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from tracker.domain.errors import BadData
from tracker.domain.infections import Term, Vocabulary


def _term(entry: Mapping[str, Any], certainty: str = "", source: str = "", verified: bool = False) -> Term:
    words = tuple(entry.get("words", ()))
    if not words:
        raise BadData(f"infections.toml: “{entry.get('name', '?')}” has no words.")
    return Term(
        entry["name"],
        words,
        tuple(entry.get("together", ())),
        tuple(entry.get("unless", ())),
        entry.get("certainty", certainty),
        entry.get("source", source),
        bool(entry.get("verified", verified)),
    )


def build(data: Mapping[str, Any], digest: str) -> Vocabulary:
    """The vocabulary from the parsed file. Raises BadData where a list is missing or a line has no words."""
    try:
        listed = data["opportunistic"]
        opportunistic = tuple(
            _term(entry, certainty, listed["source"], listed["verified"])
            for certainty in ("definite", "probable")
            for entry in listed[certainty]
        )
        return Vocabulary(
            opportunistic,
            _term(data["zoster"]),
            _term(data["widespread"]),
            _term(data["tuberculosis"]),
            tuple(_term(entry) for entry in data["event"]),
            tuple(word.casefold() for word in data["over"]),
            digest,
            _term(data["liver_symptom"]),
        )
    except KeyError as missing:
        raise BadData(f"infections.toml: there is no {missing}.") from missing


@cache
def vocabulary() -> Vocabulary:
    """The packaged lists. Raises BadData where the file contradicts itself."""
    raw = files("tracker.library").joinpath("infections.toml").read_bytes()
    return build(tomllib.loads(raw.decode()), hashlib.sha256(raw).hexdigest())
