"""The packaged data files, read once: analytes, starter ranges, protocols, grading. Imports domain only."""

from importlib.resources import files


def packaged(name: str) -> bytes:
    """The bytes of a data file of this package, by its path inside it (`analytes.toml`)."""
    return files(__name__).joinpath(name).read_bytes()
