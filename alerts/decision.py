"""What the desk decided, at which stage, and why: the material of a receipt."""

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """The stages an alert passes, in order."""

    JUDGE = "judge"
    REFUSE_FOLLOWED = "refuse_followed"
    DEDUP_BY_VERSION = "dedup_by_version"
    CAPACITY = "capacity"
    REMEMBER = "remember"
    ROUTE = "route"
    GROUP = "group"
    WAIT = "wait"
    MUTE = "mute"
    GATHER = "gather"
    SUPPRESS = "suppress"
    NOTIFICATION_LOG = "notification_log"
    DELIVER = "deliver"
    COMMAND = "command"
    ESCALATE = "escalate"


class Reason(StrEnum):
    """Why a stage decided as it did."""

    PENDING = "pending: its detector fired first"
    NEW = "new"
    REFRESHED = "refreshed"
    SEVERITY_CHANGED = "severity changed"
    REOPENED = "fires again"
    RESOLVED = "resolved"
    FLAPS = "it flaps: it begins and ends again and again"
    FLAP_HELD = "held as firing: it flaps"
    FLAPPED = "it has been quiet, and flaps no more"
    NO_DATA = "there is no data: nothing newer was judged"
    DATA_AGAIN = "there is data again"
    EXPIRED = "over: its end has come"
    FOLLOWED = "told by a judge that another has followed"
    OLDER_VERSION = "an upsert as new or newer is held already"
    NOTHING_TO_RESOLVE = "resolved, but not known as firing"
    DESK_FULL = "refused: the desk holds as many alerts as it may"
    MADE_ROOM = "resolved news dropped to make room for a firing alert"
    ROUTED = "routed"
    RELATED = "it is related to an alert of that group"
    WAITS_FOR_GROUP = "waits for more alerts of its new group"
    WAITS_FOR_INTERVAL = "waits for the next news of its group"
    LEFT_GROUP = "left the group: another route takes it now"
    WAITS_FOR_RETRY = "waits for the next try"
    IN_FLIGHT = "the notification before is still on its way"
    NOTHING_TO_TELL = "nothing fires, and nobody was told that anything did"
    UNCHANGED = "the receiver knows already"
    FIRST = "first notification of the group"
    JOINED = "an alert the receiver does not know of fires"
    SEVERITY_ROSE = "severity rose"
    SOME_RESOLVED = "an alert the receiver was told of is over"
    REPEAT = "repeat_interval passed"
    ASKED = "asks the receiver whether it has what may have arrived"
    RECONCILED = "the receiver has it: sent"
    NOT_ARRIVED = "the receiver does not have it: will be sent again"
    CANNOT_ASK = "the receiver cannot be asked whether it has it"
    CARE_SHOWN = "shows who looks after it, and tells nobody"
    CARE_REFUSED = "the receiver does not show who looks after it"
    OUTCOME_UNKNOWN = "sent again: whether the last try arrived is not known"
    SENT = "sent"
    RETRY = "not taken, will be tried again"
    TEMPLATE_FAILED = "told in the built-in words: a template failed"
    FAILED = "refused by the receiver, will be tried again at the next group_interval"
    FELL_BACK = "refused, so the fallback receiver is told as well"
    ESCALATED = "nobody acknowledged it in time, so another receiver is told as well"
    STOOD_DOWN = "the receiver it stands in for takes notifications again"
    INHIBITED = "not told: another alert inhibits it"
    MUTED = "not told: its route is muted at this time"
    INACTIVE = "not told: its route is not active at this time"
    SUPPRESSION_FAILED = "told although it may be suppressed: that could not be found out"
    SILENCED = "not told: a silence holds for it"
    SILENCE_SET = "a silence was set"
    SILENCE_EXPIRED = "a silence was ended"
    SILENCE_ENDS_SOON = "the silence that holds it ends soon"
    SILENCE_OUTGROWN = "a silence ended for it: severity rose above what it was when silenced"
    SUPPRESSED = "what fires is suppressed"
    TOLD_AGAIN = "nothing suppresses it any more"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "no longer acknowledged"
    ACK_OUTLIVED = "no longer acknowledged: it is worse, or fires anew"
    ACK_STOPS_REPEAT = "not repeated: all that fires is acknowledged"
    TAKEN_OVER = "whether it arrived is not known: the worker that sent it is gone"
    UNKNOWN_DELIVERY = "the outcome of a delivery that is not under way"


@dataclass(frozen=True, slots=True)
class Decision:
    """One stage's decision about one alert.

    ``where`` is a group key or an integration (``ops/slack/0``); ``times`` counts the same decision
    taken several times in a row, of which ``at_ms`` is the last and ``since_ms`` the first, None where it is
    the only one. ``message`` is the id of the notification it is about, its ``Idempotency-Key``.
    """

    at_ms: int
    stage: Stage
    reason: Reason
    where: str = ""
    detail: str = ""
    times: int = 1
    since_ms: int | None = None
    message: str = ""
