"""What can go wrong before a detector judges; judging itself never raises.

::

    DetectorError
    ├── DuplicateNameError      two classes claim one name
    ├── UnknownDetectorError    no class has that name
    └── InvalidParamsError      a parameter is unknown, missing or out of bounds
"""


class DetectorError(Exception):
    """Base of all errors of this package."""


class DuplicateNameError(DetectorError):
    """Two detector classes claim one name."""


class UnknownDetectorError(DetectorError):
    """No detector has the name asked for."""


class InvalidParamsError(DetectorError):
    """A detector's parameters do not hold to its `Params`."""
