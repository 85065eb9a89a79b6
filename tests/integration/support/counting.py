"""The verdict on a run: every pane of every model as an independent recount has it, to the last event."""

import json
from typing import Any

from fleet_of_stages import Pipeline
from traffic import FEATURES, Recount, Traffic, recount, shown

MODELS = tuple(FEATURES)


async def goes_on(pipeline: Pipeline) -> None:
    """Wait until panes that were not closed yet are."""
    before = {model: len(await pipeline.panes(model)) for model in MODELS}

    async def more() -> bool:
        return all([len(await pipeline.panes(model)) > before[model] + 6 for model in MODELS])

    await pipeline.until(more, "more panes close")


async def all_counted(pipeline: Pipeline, traffic: Traffic) -> None:
    """End the open panes, wait for them, and compare the store and the record of panes with a recount."""
    await traffic.live()
    for model in MODELS:
        wanted = recount(traffic.sent, model)

        async def closed(model: str = model) -> int:
            return len(shown(await pipeline.panes(model)))

        try:
            await pipeline.until_grown(closed, len(wanted.panes), f"{model}'s last pane closes")
        except AssertionError as error:
            raise AssertionError(f"{await _difference(pipeline, model, wanted)}\n{error}") from None
        rows = await pipeline.panes(model)
        assert shown(rows) == wanted.panes, await _difference(pipeline, model, wanted)
        assert sum(row["late"] for row in rows if not row["segment"]) == wanted.late
        assert shown(await told(pipeline, model)) == wanted.panes


async def _difference(pipeline: Pipeline, model: str, wanted: Recount) -> str:
    rows = await pipeline.panes(model)
    there = shown(rows)
    lines = [f"late: {sum(row['late'] for row in rows if not row['segment'])}, wanted {wanted.late}"]
    for key, pane in sorted(wanted.panes.items()):
        if there.get(key) != pane:
            events = there[key]["events"] if key in there else None
            lines.append(f"{model} {key}: {events} events, wanted {pane['events']}")
    lines += [f"{model} {key}: not wanted" for key in sorted(there.keys() - wanted.panes.keys())]
    return "\n".join(lines[:20])


def _counts(pane: dict[str, Any]) -> Any:
    columns = ("count", "missing", "out_of_range", "minimum", "maximum")
    features = {name: [one[column] for column in columns] for name, one in pane["features"].items()}
    return [pane[name] for name in ("events", "invalid", "late", "errors", "duplicates")], features


async def told(pipeline: Pipeline, model: str) -> list[dict[str, Any]]:
    """Return a model's rows on the record of panes; of one that was told again, with the same counts, the last."""
    records = [json.loads(one.value) for one in await pipeline.records(pipeline.topics.panes.name)]
    last: dict[tuple[str, ...], dict[str, Any]] = {}
    for pane in (one["pane"] for one in records if one["model"] == model):
        place = tuple(pane[name] for name in ("start", "end", "version", "segment"))
        assert _counts(last.get(place, pane)) == _counts(pane), "a pane was told again with other counts"
        last[place] = pane
    return list(last.values())
