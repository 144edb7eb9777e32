"""Where people meet the service: what passkeys are made for."""

from flask import current_app, request

from tracker.operations.passkeys import Site


def site() -> Site | None:
    """From the settings, never from what a visitor says. None where nobody said it: there are no passkeys then.

    A demonstration is met at `localhost`, at whatever port; an address of figures alone has no passkeys.
    """
    named: str = current_app.config["ORIGIN"]
    if named:
        return Site(named)
    at_home = not current_app.config["PRODUCTION"] and request.host.partition(":")[0] == "localhost"
    return Site(request.host_url.rstrip("/")) if at_home else None
