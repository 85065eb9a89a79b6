"""How much alerts ask of each team: pages by shift, what was acted on, what went by itself, repeats, silence."""

from collections.abc import Iterable, Mapping

from pydantic import BaseModel, Field

from alerts import silence_warning, watchdog
from alerts.silence import Silence
from driftline.incidents import Episode, episodes
from streams.receipt_views import ReceiptRow

DAY_MS = 86_400_000
SHIFTS = ("00-08", "08-16", "16-24")
#: An alert that was over so soon, and that nobody acted on, went by itself.
SHORT_MS = 5 * 60_000
_OWN = frozenset({silence_warning.KIND, watchdog.KIND})
_ACTED = frozenset({"acknowledged", "silence_set"})


class TeamReport(BaseModel):
    """What alerts asked of one team."""

    team: str = Field(description="label team; empty for alerts without one")
    pages: dict[str, int] = Field(description="notifications taken by a receiver, by shift of 8 h (UTC)")
    repeats: int = Field(description="of these, notifications that only said again what was known")
    alerts: int = Field(description="times an alert fired and somebody was told")
    acted_on: int = Field(description="of these, acknowledged or silenced by a person")
    self_resolved: int = Field(description="of these, over within 5 min with nobody acting")
    silenced_hours: float = Field(description="hours for which alerts fired in silence, added up")


def report(
    receipts: Iterable[ReceiptRow], silences: Mapping[str, Silence], since_ms: int, now_ms: int
) -> list[TeamReport]:
    """Return a row per team over what began in [since_ms, now_ms], by name; times in epoch ms.

    It is as complete as the receipts are: those that are over are kept for a week, with 50 decisions each.
    """
    teams: dict[str, list[Episode]] = {}
    for receipt in receipts:
        if receipt.labels.get("alertname") not in _OWN:
            found = [one for one in episodes(receipt) if since_ms <= one.began_ms <= now_ms]
            teams.setdefault(receipt.labels.get("team", ""), []).extend(found)
    return [_of(team, each, silences, now_ms) for team, each in sorted(teams.items()) if each]


def _of(team: str, each: list[Episode], silences: Mapping[str, Silence], now_ms: int) -> TeamReport:
    pages: dict[str, int] = {}
    repeats: set[str] = set()
    for one in each:
        pages |= {step.message: step.at_ms for step in one.steps if step.reason == "sent"}
        repeats |= {step.message for step in one.steps if step.reason == "repeat"}
    told = [one for one in each if any(step.reason == "sent" for step in one.steps)]
    acted = [one for one in told if _is_acted_on(one)]
    shifts = [SHIFTS[at_ms % DAY_MS // (DAY_MS // len(SHIFTS))] for at_ms in pages.values()]
    return TeamReport(
        team=team,
        pages={name: shifts.count(name) for name in SHIFTS},
        repeats=len(repeats & pages.keys()),
        alerts=len(told),
        acted_on=len(acted),
        self_resolved=sum(1 for one in told if _went_by_itself(one)),
        silenced_hours=round(sum(_silenced_ms(one, silences, now_ms) for one in each) / 3_600_000, 2),
    )


def _is_acted_on(one: Episode) -> bool:
    return any(step.reason in _ACTED for step in one.steps)


def _went_by_itself(one: Episode) -> bool:
    return one.ended_ms is not None and one.ended_ms - one.began_ms < SHORT_MS and not _is_acted_on(one)


def _silenced_ms(one: Episode, silences: Mapping[str, Silence], now_ms: int) -> int:
    """Return for how long an alert fired while a silence held for it; silences that overlap count once."""
    names = {step.where for step in one.steps if step.reason in ("silence_set", "silenced")}
    until_ms = now_ms if one.ended_ms is None else one.ended_ms
    held = sorted(
        (silences[name].starts_at_ms, silences[name].ends_at_ms) for name in names & silences.keys()
    )
    total, reached_ms = 0, one.began_ms
    for starts_at_ms, ends_at_ms in held:
        begin_ms, end_ms = max(starts_at_ms, reached_ms), min(ends_at_ms, until_ms)
        if end_ms > begin_ms:
            total, reached_ms = total + end_ms - begin_ms, end_ms
    return total
