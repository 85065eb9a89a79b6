"""What judging comes to: closed panes, verdicts and alert upserts."""

from dataclasses import dataclass, field

from alerts.alert import AlertUpsert
from detectors.base import Verdict
from detectors.window import Window
from streams.history import Pane
from streams.inbox import Group
from streams.layout import Layout

#: A verdict with its version and segment, and its event time.
Said = tuple[Group, int, Verdict]


@dataclass(slots=True)
class Judged:
    """What pane closes or a tick came to.

    ``panes`` are closed ones with version and segment, ``pane_windows`` what detectors saw of each; ``verdicts``
    come with version and segment and their event time, ``news`` are those of them that fire, or did not say the
    same of theirs before; ``in_full`` says whether the others are told too; ``layout`` is a new one and the start
    of the first pane it is for; ``incomplete`` counts profiles that cannot be read: a part never came, or nobody
    knows the layout. ``panes_json`` and ``verdicts_json`` are kept by `streams.publish`, which makes
    them when they are first asked for.
    """

    panes: list[tuple[Group, Pane]] = field(default_factory=list)
    pane_windows: list[Window] = field(default_factory=list)
    verdicts: list[Said] = field(default_factory=list)
    news: list[Said] = field(default_factory=list)
    in_full: bool = True
    alerts: list[AlertUpsert] = field(default_factory=list)
    layout: tuple[int, Layout] | None = None
    incomplete: int = 0
    panes_json: list[str] = field(default_factory=list, init=False, repr=False, compare=False)
    verdicts_json: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def __bool__(self) -> bool:
        return bool(self.panes or self.verdicts or self.alerts)

    @property
    def told(self) -> list[Said]:
        """The verdicts that are written down and shown."""
        return self.verdicts if self.in_full else self.news
