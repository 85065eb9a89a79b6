"""Building a reference: the statistics of a training or held-out data set, in bins cut from it.

The files are read twice: once to find the bins, once to count in them. Bins of numbers are cut from exact
values; of data sets above `SAMPLE_ROWS` rows (fewer with many columns, `SAMPLE_VALUES` in all) from a
sample that depends on the row numbers alone. Everything else counts every row.
"""

import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.attribution_drift import LEAST_REFERENCE_EVENTS
from detectors.estimation.scored import score_names
from detectors.sentence import percent, quantity
from driftline.errors import DriftlineError
from driftline.history.files import Reading, read
from driftline.reference_labels import LabelledScores, labels_of
from driftline.reference_losses import LabelledErrors
from driftline.sample import Sample
from streams import reference
from streams.attribution_spans import AttributionSpanCounter
from streams.batch import Batch
from streams.joins.plan import join_plan
from streams.layout import Layout, compile_layout
from streams.monitor import Monitor
from streams.pair_spans import PairSpanCounter
from streams.profile import Profile
from streams.reference import FEW_ROWS, MIN_ROWS, ReferenceFile, listed_categories, needs_edges, number_edges
from streams.reference_losses import pack_losses
from streams.segment_settings import OTHER
from streams.segment_values import of_counts
from streams.spans import counters
from streams.stages.fleet import Watched

SAMPLE_ROWS = 1_000_000
SAMPLE_VALUES = 20_000_000
#: Distinct categories counted per column; of more, the rarest are let go.
DISTINCT_KEPT = 100_000
_SHOWN = 5


class ReferenceBuildError(DriftlineError):
    """Data a reference can't be built from."""


def build(
    files: Sequence[Path],
    monitor: Monitor,
    *,
    mapping: Mapping[str, str] | None = None,
    note: Callable[[str], None] = lambda sentence: None,
) -> ReferenceFile:
    """Return the reference of a monitor from files of predictions.

    Parameters
    ----------
    files
        Parquet, CSV or JSON lines, see `driftline.history.files`; a table may lack ``ts`` and ``prediction``.
    mapping
        Which column holds what.
    note
        Told, in a sentence each, what a person should know: columns without values, few rows.

    Raises
    ------
    DriftlineError
        If a file cannot be read, or none of its rows is a valid one of this model.
    """
    reading = Reading()
    source = _Source(files, monitor, mapping or {}, reading)
    layout, period, of_segments = _layout(source)
    start_ms, end_ms = (period.start_ms, period.end_ms) if period.is_timed else (0, 0)
    profile = Profile(layout)
    told = {"start_ms": start_ms, "end_ms": end_ms, "rows": period.rows, "pane_ms": monitor.windows.pane}
    spans = counters(layout, **told)
    pair_spans = PairSpanCounter(layout, **told)
    attribution_spans = AttributionSpanCounter(layout, **told)
    labelled = _labelled(monitor, layout, files, mapping or {}, note)
    for batch in source.batches(layout):
        profile.fold(batch)
        if labelled is not None:
            labelled.add(batch)
        pair_spans.add(batch)
        attribution_spans.add(batch)
        for counter in spans:
            counter.add(batch)
    odd = [] if labelled is None else labelled.remarks()
    for sentence in (*reading.notes, *source.losses(), *_remarks(profile), *of_segments, *odd):
        note(sentence)
    return ReferenceFile(
        format=reference.FORMAT,
        model=monitor.model,
        source=", ".join(path.name for path in files),
        source_sha256=_digest(files),
        rows=profile.events,
        start_ms=start_ms,
        end_ms=end_ms,
        layout=layout,
        profile=reference.pack(profile),
        spans=reference.pack_spans([one.counts for one in spans]),
        scored=reference.pack_scored(labelled.found()) if isinstance(labelled, LabelledScores) else {},
        losses=pack_losses(labelled.model) if isinstance(labelled, LabelledErrors) else None,
        pair_spans=b""
        if profile.pairs is None
        else reference.pack_pair_spans(pair_spans.rows(profile.pairs.positions)),
        attribution_spans=reference.pack_attribution_spans(attribution_spans.rows()),
    )


def _labelled(
    monitor: Monitor,
    layout: Layout,
    files: Sequence[Path],
    mapping: Mapping[str, str],
    note: Callable[[str], None],
) -> LabelledScores | LabelledErrors | None:
    """Return what learns from labels, None where nothing is to be learnt or the files have none."""
    plan = join_plan(monitor)
    is_number = plan is not None and plan.task.kind == "number"
    if plan is None or not (is_number or score_names(plan.task)):
        return None
    labels = labels_of(files, mapping)
    if labels is None:
        if is_number:
            note("no column 'label': which errors to expect before labels come cannot be told")
        else:
            note("no column 'label': what scores mean is learnt from the labels that come in")
        return None
    if is_number:
        return LabelledErrors(layout, labels)
    return LabelledScores(plan.task, layout, labels)


class _Source:
    """The rows of one model in some files, and what was lost of them."""

    def __init__(
        self, files: Sequence[Path], monitor: Monitor, mapping: Mapping[str, str], reading: Reading
    ) -> None:
        self._files = files
        self._mapping = mapping
        self._reading = reading
        self._others: Counter[str] = Counter()
        self._bad: Counter[str] = Counter()
        self.monitor = monitor

    def batches(self, layout: Layout) -> Iterator[Batch]:
        """Yield the model's rows."""
        self._others.clear()
        self._bad.clear()
        watched = {self.monitor.model: Watched(self.monitor, layout)}
        for _, chunk in read(self._files, watched, mapping=self._mapping, reading=self._reading, timed=False):
            self._bad.update(bad.reason for bad in chunk.decoded.bad)
            for model, others in chunk.decoded.unmonitored.items():
                self._others[model] += len(others.rows)
            for rows in chunk.decoded.models.values():
                yield rows.batch

    def losses(self) -> list[str]:
        """Return what was left out, in words."""
        lost = [
            f"{quantity(rows, 'row')} of model {name!r} passed over" for name, rows in self._others.items()
        ]
        if self._bad:
            reasons = "; ".join(f"{reason} ({n:,})" for reason, n in self._bad.most_common(_SHOWN))
            lost.append(f"left out as invalid: {quantity(self._bad.total(), 'row')}: {reasons}")
        return lost


@dataclass(slots=True)
class _Period:
    """Rows, and the times they span, epoch ms; ``end_ms`` is just after the last."""

    rows: int = 0
    start_ms: int = sys.maxsize
    end_ms: int = 0

    @property
    def is_timed(self) -> bool:
        return self.rows > 0 and (self.start_ms, self.end_ms) != (0, 1)

    def add(self, batch: Batch) -> None:
        self.rows += len(batch)
        self.start_ms = min(self.start_ms, int(batch.ts_ms.min()))
        self.end_ms = max(self.end_ms, int(batch.ts_ms.max()) + 1)


def _layout(source: _Source) -> tuple[Layout, _Period, list[str]]:
    """Return the monitor's layout with bins cut from the data, the data's period, and what is odd about segments."""
    plain = compile_layout(source.monitor)
    cut = [position for position, column in enumerate(plain.numbers) if needs_edges(column)]
    listed = [position for position, column in enumerate(plain.categories) if not column.closed]
    sample = Sample(len(cut), min(SAMPLE_ROWS, SAMPLE_VALUES // max(len(cut), 1)))
    counts: list[Counter[str | None]] = [Counter() for _ in listed]
    parts: dict[str, Counter[str]] = {name: Counter() for name in source.monitor.segments}
    period = _Period()
    for batch in source.batches(plain):
        period.add(batch)
        for part, values in zip(parts.values(), batch.segments, strict=True):
            _count(part, values)
        sample.add(batch.offsets, batch.numbers[:, cut])
        for counter, position in zip(counts, listed, strict=True):
            _count(counter, batch.texts[position])
    if not period.rows:
        why = "; ".join(source.losses()) or "the files hold no rows"
        raise ReferenceBuildError(f"no valid row of model {source.monitor.model!r}: {why}")
    if period.rows < MIN_ROWS:
        lost = "".join(f"; {sentence}" for sentence in source.losses())
        raise ReferenceBuildError(
            f"only {quantity(period.rows, 'valid row')} of model {source.monitor.model!r}; a reference needs at "
            f"least {MIN_ROWS}, better {FEW_ROWS} and more: give it more data{lost}"
        )
    numbers = sample.values()
    layout = compile_layout(
        source.monitor,
        edges={plain.numbers[at].name: _edges(numbers[:, slot]) for slot, at in enumerate(cut)},
        values={
            plain.categories[at].name: listed_categories({k: n for k, n in counter.items() if k is not None})
            for at, counter in zip(listed, counts, strict=True)
        },
        segments=of_counts(parts),
    )
    return layout, period, [*_of_segments(parts, layout)]


def _of_segments(parts: Mapping[str, Counter[str]], layout: Layout) -> Iterator[str]:
    """Yield what became of segments' values, in words."""
    kept = {one.name: one.values for one in layout.segments}
    for name, counts in parts.items():
        values = kept.get(name, ())
        rest = {value: rows for value, rows in counts.items() if value and value not in values}
        if rest:
            share = sum(rest.values()) / (counts.total() - counts[""])
            yield (
                f"segment {name}: {quantity(len(rest), 'value')} beyond the {len(values)} most frequent, "
                f"{percent(share, 2)} of its rows, count as {OTHER!r}"
            )


def _edges(values: NDArray[np.float64]) -> tuple[float, ...]:
    return number_edges(values[~np.isnan(values)])


def _count(counter: Counter[Any], texts: Sequence[str | None]) -> None:
    counter.update(texts)
    if len(counter) > DISTINCT_KEPT:
        for name, _ in counter.most_common()[DISTINCT_KEPT // 2 :]:
            del counter[name]


def _remarks(profile: Profile) -> list[str]:
    """Return what is odd about the data, in words."""
    remarks = []
    if profile.events < FEW_ROWS:
        remarks.append(
            f"only {quantity(profile.events, 'row')}; below {FEW_ROWS} a reference says little, give it more"
        )
    attributed = 0 if profile.attributions is None else profile.attributions.events
    if 0 < attributed < LEAST_REFERENCE_EVENTS:
        remarks.append(
            f"attributions in {quantity(attributed, 'row')}; "
            f"below {LEAST_REFERENCE_EVENTS} their drift cannot be judged"
        )
    for position, column in enumerate(profile.layout.numbers):
        if column.role == "latency":
            continue
        if not profile.count[position]:
            remarks.append(f"{column.name}: missing in every row; its drift cannot be judged")
        elif profile.minimum[position] == profile.maximum[position]:
            remarks.append(
                f"{column.name}: {profile.minimum[position]:g} in every row; any other value will read as drift"
            )
    for position, listed in enumerate(profile.layout.categories):
        found = reference.category_counts(profile, position)
        if not found:
            remarks.append(f"{listed.name}: missing in every row; its drift cannot be judged")
            continue
        unseen = [value for value in listed.values if value not in found]
        if len(found) == 1 and not listed.closed:
            only = next(iter(found))
            remarks.append(f"{listed.name}: {only!r} in every row; any other value will read as drift")
        if unseen:
            shown = ", ".join(unseen[:_SHOWN]) + (", …" if len(unseen) > _SHOWN else "")
            remarks.append(f"{listed.name}: {len(unseen)} listed categories were never seen ({shown})")
        is_feature = listed.role == "feature"
        if not listed.closed and len(found) > len(listed.values) and is_feature:
            rest = len(found) - len(listed.values)
            remarks.append(f"{listed.name}: {rest:,} or more rare categories count together as other")
    return remarks


def _digest(files: Sequence[Path]) -> str:
    """Return the SHA-256 of the files' bytes, one after the other."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as raw:
            while block := raw.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
