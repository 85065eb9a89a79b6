"""What one message's templates may cost, in steps and in characters: the same message always costs the same.

A step is a turn of a loop (and what its body holds), a call, a filter, a value of a list, or 64 characters of text.
"""

from collections.abc import ItemsView as Items
from collections.abc import Iterable, Iterator, KeysView, Mapping, ValuesView
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from alerts.errors import TemplateFailed

#: Steps of all templates of one message together: a tenth of a second at the most.
MAX_STEPS = 50_000
#: Characters of any text within a template, and of what it makes.
MAX_TEXT = 100_000
_CHARACTERS_A_STEP = 64
_MAX_BITS = 4_096
_VIEWS = (KeysView, ValuesView, Items)


class _Budget:
    __slots__ = ("left",)

    def __init__(self, steps: int) -> None:
        self.left = steps


_BUDGET: ContextVar[_Budget | None] = ContextVar("template_budget", default=None)


@contextmanager
def budget(steps: int = MAX_STEPS) -> Iterator[None]:
    """Let what runs within this block cost so many steps."""
    token = _BUDGET.set(_Budget(steps))
    try:
        yield
    finally:
        _BUDGET.reset(token)


def charge(steps: int) -> None:
    """Take steps from the budget.

    Raises
    ------
    TemplateFailed
        If it is used up, or there is none, as while a template is compiled.
    """
    held = _BUDGET.get()
    if held is None:
        raise TemplateFailed("nothing is computed before there is a message")
    held.left -= steps
    if held.left < 0:
        raise TemplateFailed(f"it takes more than {MAX_STEPS:,} steps; loop over less")


def weighed(value: Any) -> Any:
    """Return a value, a view or an iterator as a list, once its whole size is charged.

    Raises
    ------
    TemplateFailed
        If it, or a part of it, is too large.
    """
    if isinstance(value, _VIEWS) or (isinstance(value, Iterator) and not isinstance(value, str)):
        value = list(each(value, 1))
    held = [value]
    while held:
        one = held.pop()
        charge(1)
        if isinstance(one, str):
            if len(one) > MAX_TEXT:
                raise TemplateFailed(f"a text of more than {MAX_TEXT:,} characters; shorten it")
            charge(len(one) // _CHARACTERS_A_STEP)
        elif isinstance(one, int) and one.bit_length() > _MAX_BITS:
            raise TemplateFailed("a number of more than a thousand digits")
        elif isinstance(one, Mapping):
            charge(2 * len(one))
            held += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple | set | frozenset):
            charge(len(one))
            held += one
    return value


def each(items: Iterable[Any], steps: int) -> Iterator[Any]:
    """Yield items, each at a price."""
    for item in items:
        charge(steps)
        yield item
