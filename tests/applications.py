"""The application as the tests make it: as ever, but for templates, which are compiled once a process and not once a
test.
"""

from collections.abc import Mapping
from typing import Any

from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket

from tracker import create_app


class Compiled(BytecodeCache):
    """Compiled templates in memory; one whose text has changed is compiled anew."""

    def __init__(self) -> None:
        self._held: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._held:
            bucket.bytecode_from_string(self._held[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._held[bucket.key] = bucket.bytecode_to_string()


COMPILED = Compiled()


def make_app(settings: Mapping[str, Any]) -> Flask:
    """What `create_app` makes of the settings."""
    app = create_app(settings)
    app.jinja_env.bytecode_cache = COMPILED
    return app
