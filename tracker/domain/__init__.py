"""The words of the subject and the arithmetic that goes with them: standard library only.

Nothing here knows Flask, SQLAlchemy, a file or the clock; the time is always an argument.
"""
