"""How often Python looks for cycles among its objects, in a process that judges or counts."""

import gc

#: So many more objects must be made than let go before it looks; Python says 2,000 or less. A pane's verdicts come
#: by the hundred, live until those of the next, and form no cycles: looking through them took a tenth of the time.
OBJECTS = 50_000


def collect_seldom() -> None:
    """Have cycles looked for less often from now on; all else is freed at once, as ever."""
    gc.set_threshold(OBJECTS, *gc.get_threshold()[1:])
