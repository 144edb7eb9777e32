"""The packaged protocols, one file a drug and region, loaded once, each with its digest."""

import hashlib
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from tracker.domain.protocol import Protocol, build


@cache
def protocols() -> Mapping[str, Protocol]:
    """Every shipped protocol by its id. Raises BadData where a packaged file contradicts itself."""
    folder = files("tracker.library").joinpath("protocols")
    raw = [entry.read_bytes() for entry in folder.iterdir() if entry.name.endswith(".toml")]
    built = (build(tomllib.loads(data.decode()), hashlib.sha256(data).hexdigest()) for data in raw)
    return {protocol.id: protocol for protocol in sorted(built, key=lambda p: p.id)}
