"""What the desk answers to a command."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Code = Literal["done", "unknown", "refused"]


class Answer(BaseModel):
    """What came of a command.

    Parameters
    ----------
    code
        ``done``; else why nothing was changed: ``unknown`` (what it names is not there), ``refused``.
    subject
        The silence's id, or the alerts' fingerprints, separated by spaces.
    sentence
        The same for people.
    """

    model_config = ConfigDict(frozen=True)

    command_id: str
    code: Code
    subject: str = ""
    sentence: str
    at_ms: int
