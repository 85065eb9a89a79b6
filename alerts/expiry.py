"""When pushed alerts end by themselves: each fires until its end, unless it is pushed again before."""


class Expiries:
    """Fingerprints with the moment each ends, epoch ms; to look whether one has come costs nothing until then.

    Examples
    --------
    >>> expiries = Expiries()
    >>> expiries.put("a", 2_000); expiries.put("b", 1_000); expiries.put("a", 3_000)
    >>> expiries.first_ms(), expiries.due(1_500), expiries.first_ms()
    (1000, ['b'], 3000)
    """

    def __init__(self) -> None:
        self._ends: dict[str, int] = {}
        self._held_back: dict[str, int] = {}
        self._none_before_ms: int | None = None

    def put(self, fingerprint: str, ends_at_ms: int | None) -> None:
        """Set when an alert ends; None if it does not end by itself, or is over."""
        if ends_at_ms is None:
            self._ends.pop(fingerprint, None)
            self._held_back.pop(fingerprint, None)
            return
        self._ends[fingerprint] = ends_at_ms
        due_ms = self._due_ms(fingerprint)
        if self._none_before_ms is None or due_ms < self._none_before_ms:
            self._none_before_ms = due_ms

    def hold_back(self, until_ms: int) -> None:
        """Let none of those held now end before a moment, so that whoever pushes them can be heard first."""
        self._held_back = dict.fromkeys(self._ends, until_ms)
        self._look()

    def first_ms(self) -> int | None:
        """Return a moment before which none ends; None while there is none."""
        return self._none_before_ms if self._ends else None

    def due(self, now_ms: int) -> list[str]:
        """Return the fingerprints whose end has come, the earliest first; they are held no more."""
        if self._none_before_ms is None or now_ms < self._none_before_ms:
            return []
        over = [fingerprint for fingerprint in self._ends if self._due_ms(fingerprint) <= now_ms]
        over.sort(key=lambda fingerprint: (self._ends[fingerprint], fingerprint))
        for fingerprint in over:
            self.put(fingerprint, None)
        self._look()
        return over

    def _due_ms(self, fingerprint: str) -> int:
        return max(self._ends[fingerprint], self._held_back.get(fingerprint, 0))

    def _look(self) -> None:
        self._none_before_ms = min(map(self._due_ms, self._ends), default=None)
