"""The fleet page's choice: which models, in which order, on which page. What is wrong comes first."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from streams.views import ModelSummary, State

PAGE_SIZE = 100
ORDER: tuple[State, ...] = ("firing", "silent", "warming", "unmonitored", "ok")


@dataclass(frozen=True, slots=True)
class Fleet:
    """One page of the fleet. `counts` is over all models, before search and filter."""

    rows: list[ModelSummary]
    counts: dict[State, int]
    total: int
    matching: int
    page: int
    pages: int


def choose(models: Sequence[ModelSummary], *, q: str = "", state: str = "", page: int = 1) -> Fleet:
    """Return a page of the models that match.

    Parameters
    ----------
    models
        All there are, in any order.
    q
        Part of a model's or a team's name, in any case.
    state
        Only models in this state; "" or an unknown word for all.
    page
        From 1; beyond the last page the last is given.
    """
    wanted = q.strip().casefold()
    counts = Counter(model.state for model in models)
    found = [
        model
        for model in models
        if (state not in get_args(State) or model.state == state)
        and (wanted in model.model.casefold() or wanted in model.team.casefold())
    ]
    found.sort(key=_rank)
    pages = max(-(-len(found) // PAGE_SIZE), 1)
    page = min(max(page, 1), pages)
    return Fleet(
        rows=found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE],
        counts={each: counts[each] for each in ORDER},
        total=len(models),
        matching=len(found),
        page=page,
        pages=pages,
    )


def _rank(model: ModelSummary) -> tuple[int, int, str, str]:
    return ORDER.index(model.state), -model.firing, model.model.casefold(), model.model
