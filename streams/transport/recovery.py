"""Recovery of tables from their changelogs: Faust's, which takes one that was cut short for a whole one.

When a rebalance comes while a changelog is read, the stock service goes on as if it had read to the end:
tables are told that they are whole, and the next recovery, which reads the rest, finds them taken up.
"""

from typing import Any

from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery


class WholeRecovery(Recovery):  # type: ignore[misc]  # faust is untyped here
    """Calls tables recovered once their changelogs were read to the end, with no rebalance since.

    ``recovered_at`` is the app's count of rebalances when that was last so; a higher count means that what
    is owned now was not read by that recovery.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.recovered_at: int | None = None
        self._began_at: int | None = None

    async def on_rebalance(self, *args: Any, **kwargs: Any) -> None:
        """Begin to recover what is assigned."""
        self._began_at = self.app.rebalancing_count
        await super().on_rebalance(*args, **kwargs)

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """Tell the tables, unless another rebalance has begun: its recovery reads on, and comes here again."""
        if self.signal_recovery_start.is_set() or self._began_at != self.app.rebalancing_count:
            return
        # What came between the last flush and the end of reading lies in a buffer still.
        self.flush_buffers()
        self.recovered_at = self._began_at
        await super().on_recovery_completed(generation_id)


class Tables(TableManager):  # type: ignore[misc]  # faust is untyped here
    """Manages tables that are known before the app starts with a `WholeRecovery`.

    The stock manager waits a second for more tables to come.
    """

    _recovery: WholeRecovery | None

    @property
    def recovery(self) -> WholeRecovery:
        """The recovery service, made when it is first asked for."""
        if self._recovery is None:
            self._recovery = WholeRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery

    async def on_start(self) -> None:
        """Take up the tables."""
        await self._update_channels()
        await self.recovery.start()
