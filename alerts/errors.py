"""What can go wrong in the alert desk.

::

    AlertsError
    ├── DurationError    (also ValueError)  a duration that is not written as Alertmanager writes them
    ├── MatcherError     (also ValueError)  a matcher or its regular expression that cannot be read
    ├── UnknownReceiver  (also KeyError)    a delivery to a receiver the configuration does not have
    ├── EgressRefused                       a receiver's host that global.egress_allow does not name
    ├── SecretUnreadable                    a file that holds a token or an address cannot be read
    ├── RowError                            a row of the desk's state that cannot be read back
    ├── ConfigRefused                       the alerting file cannot be taken up as it is now
    ├── TemplateRefused                     a template that cannot be compiled; says every mistake with its line
    └── TemplateFailed                      a template that cannot be carried out for a notification

Errors of a configuration file come as pydantic's ``ValidationError``, with the exact place of each.
"""

from collections.abc import Sequence


class AlertsError(Exception):
    """Base of this package's errors."""


class DurationError(AlertsError, ValueError):
    """A duration that cannot be read."""


class MatcherError(AlertsError, ValueError):
    """A matcher that cannot be read."""


class UnknownReceiver(AlertsError, KeyError):
    """A delivery names a receiver that the configuration does not have."""


class EgressRefused(AlertsError):
    """A notification would go to a host that the configuration does not allow."""


class SecretUnreadable(AlertsError):
    """A file that holds a secret cannot be read."""


class RowError(AlertsError):
    """A row of the desk's state that cannot be read."""


class ConfigRefused(AlertsError):
    """The alerting file cannot be taken up as it is now; says why, and nothing secret."""


class TemplateRefused(AlertsError):
    """A template that cannot be compiled; ``mistakes`` are lines (from 1) and what is wrong there."""

    def __init__(self, mistakes: Sequence[tuple[int, str]]) -> None:
        super().__init__("; ".join(f"line {line}: {message}" for line, message in mistakes))
        self.mistakes = tuple(mistakes)


class TemplateFailed(AlertsError):
    """A template that cannot be carried out, or would cost too much."""
