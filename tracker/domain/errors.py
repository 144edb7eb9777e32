"""What can go wrong, in the words a user would be shown. The web turns these into pages, the commands into exit
codes.
"""


class JakwatchError(Exception):
    """Something the user can understand and act on; the message is a whole sentence."""


class Refused(JakwatchError):
    """The request breaks a rule of the record (a sample before birth, a unit that does not exist). `field` names the
    one that has to be mended, by its name in a file or a form; "" where it is the whole.
    """

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class NotFound(JakwatchError):
    """There is no such thing, or it is not the user's to see: the two are not told apart."""


class Gone(NotFound):
    """What was kept for a while, for this person, is there no longer; the message says what to do."""


class NotAllowed(JakwatchError):
    """The user's role does not allow this."""


class TooMuch(JakwatchError):
    """More than one person may have in an hour; `seconds` until there is more."""

    def __init__(self, message: str, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds


class Stale(JakwatchError):
    """Somebody else saved first; nothing was written."""


class OutcomeUnknown(JakwatchError):
    """The last word of the database, whether all of it is stored, did not come: it may be, whole, or not at all."""

    def __init__(self) -> None:
        super().__init__("Whether this was stored is not known: the database did not answer the last question.")


class BadData(JakwatchError):
    """A data file of the project or of the clinic contradicts itself."""
