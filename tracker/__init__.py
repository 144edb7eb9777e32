"""Jakwatch: laboratory monitoring for patients on JAK inhibitors."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask

CONFIG = "config:from_environment"


def load_settings(name: str = CONFIG) -> dict[str, Any]:
    """What `module:function` says the settings are. The configuration is handed in by name, never imported."""
    module, _, function = name.partition(":")
    read: Callable[[], Mapping[str, Any]] = getattr(import_module(module), function)
    return dict(read())


def create_app(settings: str | Mapping[str, Any] = CONFIG) -> "Flask":
    """The web application, from the settings or from the name of what reads them.

    Raises tracker.web.startup.Misconfigured where it would not be safe to start.
    """
    # Here and not at the top: whoever imports tracker.domain runs this file, and the ground floor does without Flask.
    from tracker.web import make_app  # noqa: PLC0415

    return make_app(load_settings(settings) if isinstance(settings, str) else dict(settings))
