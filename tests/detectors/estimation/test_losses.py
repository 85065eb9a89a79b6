"""Errors expected before labels: against simulated labels under shift, with intervals that cover, or a reason."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from detector_windows import category, number, window
from numpy.typing import NDArray

from detectors.base import Verdict
from detectors.estimated_performance import EstimatedPerformance, EstimatedPerformanceParams
from detectors.estimation.loss_fit import fit
from detectors.estimation.losses import LOSSES, LossColumn, LossModel
from detectors.window import Window

Floats = NDArray[np.float64]
EDGES = np.round(np.linspace(-2.0, 2.0, 17), 3)
PLANS = ("free", "pro", "team")


class World:
    """A regression whose errors grow with a feature, and are larger for one plan; features x, z, plan."""

    def __init__(self, seed: int, wander: float = 0.0) -> None:
        self.random = np.random.default_rng(seed)
        self._wander = wander

    def rows(
        self, size: int, shift: float = 0.0, team: float = 0.1
    ) -> tuple[dict[str, Any], NDArray[np.float64]]:
        """Return columns and the errors of the predictions."""
        x, z = self.random.normal(shift, 1.0, size), self.random.normal(size=size)
        plan = self.random.choice(3, size, p=[0.9 - team, 0.1, team])
        deviation = 0.3 + 0.25 * np.clip(x + 2.0, 0.0, None) + 0.8 * (plan == 2)
        slow = np.exp(self._wander * np.sin(np.arange(size) * 2 * np.pi / 3_000))
        said = 0.5 * x + 0.2 * z
        return {"x": x, "z": z, "plan": plan, "prediction": said}, self.random.normal(
            size=size
        ) * deviation * slow


def columns() -> list[LossColumn]:
    bins = tuple(f"bin {at}" for at in range(EDGES.size + 1))
    named = [
        LossColumn(name, bins, np.zeros(len(bins) + 1), (), (), -9.0, 9.0)
        for name in ("x", "z", "prediction")
    ]
    return [*named, LossColumn("plan", (*PLANS, "other"), np.zeros(5))]


def codes(rows: dict[str, Any]) -> NDArray[np.int64]:
    return np.column_stack(
        [
            *(np.searchsorted(EDGES, rows[name], side="right") for name in ("x", "z", "prediction")),
            rows["plan"],
        ]
    )


def learnt(world: World, size: int) -> LossModel:
    rows, errors = world.rows(size)
    return fit(columns(), codes(rows), np.abs(errors), "the reference file")


def seen(rows: dict[str, Any], model: LossModel | None = None) -> Window:
    """Return the window of some rows, as their counts."""
    numbers = [number(rows[name], name=name, edges=EDGES) for name in ("x", "z", "prediction")]
    plans = category(np.bincount(rows["plan"], minlength=3).tolist(), listed=PLANS)
    return replace(window(*numbers, plans), loss_model=model)


def realised(errors: Floats) -> dict[str, float]:
    return {"mae": float(np.mean(np.abs(errors))), "rmse": float(np.sqrt(np.mean(errors**2)))}


def judge(now: Window, metric: str = "mae", **params: Any) -> Verdict:
    return EstimatedPerformance(EstimatedPerformanceParams(**params), metric).observe(now, None)


@pytest.mark.parametrize("size", [1_500, 15_000])
@pytest.mark.parametrize("shifted", [{}, {"shift": 0.8}, {"shift": -0.8}, {"team": 0.6}])
def test_the_interval_holds_what_labels_show_as_often_as_it_says_though_inputs_shift(
    size: int, shifted: dict[str, float]
) -> None:
    runs, held = 40, dict.fromkeys(LOSSES, 0)
    for seed in range(runs):
        world = World(seed)
        model = learnt(world, size)
        rows, errors = world.rows(1_000, **shifted)
        found, truth = model.of_window(seen(rows)), realised(errors)
        for name in held:
            held[name] += found[name].low <= truth[name] <= found[name].high
    for name, hits in held.items():
        # 0.95 of 40 within three standard errors.
        assert hits / runs >= 0.85, name


def test_the_estimate_goes_where_the_errors_go_and_the_interval_is_not_so_wide_as_to_say_nothing() -> None:
    world = World(1)
    model = learnt(world, 20_000)
    for shifted in ({"shift": 0.8}, {"shift": -0.8}, {"team": 0.6}):
        rows, errors = world.rows(200_000, **shifted)
        found, truth, usual = model.of_window(seen(rows)), realised(errors), model.usual()
        for name, one in found.items():
            rise, said = (
                truth[name] - (usual[name].value or 0.0),
                (one.value or 0.0) - (usual[name].value or 0.0),
            )
            assert said == pytest.approx(rise, rel=0.15), (name, shifted)
            assert 2.0 * one.error < abs(rise), (name, shifted)


def test_of_one_category_the_estimate_is_the_mean_of_each_plans_own_errors() -> None:
    rng = np.random.default_rng(2)
    plan = rng.choice(3, 6_000, p=[0.6, 0.3, 0.1])
    errors = np.abs(rng.normal(size=6_000)) * np.array([1.0, 2.0, 5.0])[plan]
    model = fit([LossColumn("plan", (*PLANS, "other"), np.zeros(5))], plan[:, None], errors, "a test")
    now = window(category([100, 200, 700]), number(np.zeros(1_000), name="prediction"))
    for name, power in (("mae", 1), ("rmse", 2)):
        means = [float(np.mean(errors[plan == at] ** power)) for at in range(3)]
        wanted = float(np.dot([0.1, 0.2, 0.7], means)) ** (1 / power)
        assert model.of_window(now)[name].value == pytest.approx(wanted, rel=0.01)


def test_missing_values_have_errors_of_their_own() -> None:
    rng = np.random.default_rng(3)
    place = rng.choice([0, 1, 2], 5_000, p=[0.45, 0.45, 0.1])
    errors = np.abs(rng.normal(size=5_000)) * np.where(place == 2, 6.0, 1.0)
    model = fit([LossColumn("x", ("low", "high"), np.zeros(3))], place[:, None], errors, "a test")
    now = replace(number(rng.normal(size=500), edges=np.array([0.0]), missing=500), labels=("low", "high"))
    found = model.of_window(window(now, number(np.zeros(1_000), name="prediction")))["mae"]
    gone, there = (float(errors[(place == 2) == missing].mean()) for missing in (True, False))
    assert found.value == pytest.approx((gone + there) / 2, rel=0.02)


def test_the_outermost_bin_is_told_apart_where_it_is_cut() -> None:
    rng = np.random.default_rng(4)
    x = np.round(rng.gamma(2.0, 1.0, 8_000), 2)
    errors = np.abs(rng.normal(size=x.size)) * x
    edges, above = np.array([1.0, 2.0]), (3.0, 5.0)
    whole = np.sort([*edges, *above])
    cut = LossColumn("x", ("a", "b", "c"), np.zeros(6), (), above)
    plain = LossColumn("x", ("a", "b", "c"), np.zeros(4))
    wide = replace(number(x[x < 2.0].tolist() + [6.0] * 3_000, edges=edges), labels=("a", "b", "c"))
    now = window(wide, number(np.zeros(wide.count), name="prediction"))
    truth = float(np.concatenate((errors[x < 2.0], np.repeat(errors[x >= 5.0].mean(), 3_000))).mean())
    told = fit([cut], np.searchsorted(whole, x, side="right")[:, None], errors, "a test").of_window(now)[
        "mae"
    ]
    rough = fit([plain], np.searchsorted(edges, x, side="right")[:, None], errors, "a test").of_window(now)
    assert told.value == pytest.approx(truth, rel=0.05)
    assert (rough["mae"].value or 0.0) < 0.85 * truth


def test_a_reference_that_wanders_makes_the_interval_as_wide_as_that_needs() -> None:
    held = widths = 0.0
    for seed in range(20):
        calm, wandering = learnt(World(seed), 6_000), learnt(World(seed, 0.3), 6_000)
        rows, errors = World(100 + seed, 0.3).rows(6_000)
        part = slice(300 * seed, 300 * seed + 300)
        found = wandering.of_window(seen({name: one[part] for name, one in rows.items()}))["mae"]
        held += found.low <= float(np.abs(errors[part]).mean()) <= found.high
        widths += found.error / calm.of_window(seen({k: one[part] for k, one in rows.items()}))["mae"].error
    assert held / 20 >= 0.85
    assert widths / 20 > 2.0


def test_harder_cases_fire_before_any_label_and_easier_ones_and_healthy_ones_do_not() -> None:
    world = World(5)
    model = learnt(world, 10_000)
    harder, errors = world.rows(3_000, shift=1.0)
    for metric in LOSSES:
        found = judge(seen(harder, model), metric)
        assert (found.status, found.kind) == ("firing", "EstimatedPerformanceDrop")
        low, high = found.evidence.details["interval"]
        assert low < realised(errors)[metric] < high
        assert found.evidence.sentence.startswith(f"{metric} estimated at ")
        assert "by 10,000 labels of the reference file" in found.evidence.sentence
        for kind in ({"shift": -1.0}, {"team": 0.0}, {}):
            assert judge(seen(world.rows(3_000, **kind)[0], model), metric).status == "ok", kind
    value = model.of_window(seen(harder))["mae"].value or 0.0
    assert judge(seen(harder, model), objective=value + 0.1).status == "ok"
    assert judge(seen(harder, model), objective=value - 0.2).status == "firing"


def test_healthy_windows_hardly_ever_fire() -> None:
    fired = 0
    for seed in range(15):
        world = World(200 + seed)
        model = learnt(world, 3_000)
        fired += sum(judge(seen(world.rows(500)[0], model)).status == "firing" for _ in range(20))
    assert fired <= 1


def test_what_moves_the_expected_loss_adds_up_to_its_rise() -> None:
    world = World(6)
    model = learnt(world, 10_000)
    now = seen(world.rows(5_000, shift=1.0)[0])
    moved = model.rises(now, "mae")
    rise = (model.of_window(now)["mae"].value or 0.0) - float(model.usual_loss[0])
    assert sum(one.by for one in moved) == pytest.approx(rise, abs=0.01)
    assert [one.by for one in moved] == sorted((one.by for one in moved), reverse=True)
    by = {one.name: one for one in moved}
    assert by["x"].by + by["prediction"].by > 0.9 * rise
    assert by["x"].where == "bin 17", "of the outermost bin, which is the hardest, there is most more"
    held = np.searchsorted(EDGES, World(6).rows(10_000)[0]["x"], side="right") == 17
    assert by["x"].usual == pytest.approx(float(np.mean(held)))


def unable(model: LossModel, now: Window | None = None, metric: str = "mae") -> str:
    held = seen(World(7).rows(1_000)[0]) if now is None else now
    found = judge(replace(held, loss_model=model), metric)
    assert found.status == "insufficient"
    return found.evidence.sentence


def test_without_a_reason_to_expect_anything_nothing_is_estimated_and_it_is_said_why() -> None:
    rng = np.random.default_rng(88)
    rows, errors = World(8).rows(2_000)
    places = codes(rows)
    few = fit(columns(), places[:120], np.abs(errors[:120]), "the reference file")
    assert "no estimate, because of the reference file only 120 rows can be used" in unable(few)
    assert "only 0 rows" in unable(fit(columns(), places[:0], errors[:0], "the reference file"))
    same = fit(columns(), places, np.full(2_000, 1.5), "the reference file")
    assert "the error is 1.5 in all 2,000 rows of the reference file with labels" in unable(same)
    noise = fit(columns(), places, np.abs(rng.normal(size=2_000)), "the reference file")
    assert "neither features nor predictions tell how large the error is" in unable(noise)
    nobody = judge(seen(rows))
    assert nobody.status == "insufficient"
    assert "no estimate, because no reference file with a column 'label'" in nobody.evidence.sentence


def test_a_loss_that_held_out_rows_refute_is_not_estimated_though_the_other_is() -> None:
    model = learnt(World(9), 3_000)
    halved = replace(model, skill=np.array([0.1, -0.01]))
    assert "rmse is undefined: neither features nor predictions tell" in unable(halved, metric="rmse")
    assert judge(seen(World(9).rows(1_000)[0], halved)).status == "ok"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"x": np.concatenate((np.zeros(700), np.full(300, 40.0)))}, "30 % of the values of 'x' lie beyond"),
        ({"x": np.concatenate((np.zeros(700), np.full(300, -40.0)))}, "30 % of the values of 'x' lie beyond"),
    ],
)
def test_values_that_no_label_tells_of_are_not_guessed_at(changes: dict[str, Any], said: str) -> None:
    rows = World(10).rows(1_000)[0] | changes
    assert said in unable(learnt(World(10), 5_000), seen(rows))


def test_new_categories_are_not_guessed_at_and_rare_ones_as_frequent_as_ever_are_known() -> None:
    def now(counts: Sequence[int], **others: int) -> Window:
        rows = World(11).rows(1_000)[0]
        plans = category(counts, listed=PLANS, **others)
        return window(*(number(rows[n], name=n, edges=EDGES) for n in ("x", "z", "prediction")), plans)

    model = learnt(World(11), 5_000)
    assert "40 % of the values of 'plan' lie beyond" in unable(model, now([500, 50, 50], trial=400))
    rows, errors = World(11).rows(5_000)
    rows["plan"] = np.where(np.arange(5_000) % 5 == 0, 3, rows["plan"])
    usual = fit(columns(), codes(rows), np.abs(errors), "a test")
    assert usual.unseen(now([700, 50, 50], rare=200))[0] == pytest.approx(0.0, abs=1e-9)
    assert usual.unseen(now([500, 50, 50], rare=400))[0] == pytest.approx(0.2, abs=1e-9)


def test_a_window_in_other_bins_is_said_to_be() -> None:
    model, now = learnt(World(12), 3_000), seen(World(12).rows(1_000)[0])
    other = replace(now.features["x"], labels=("one", "two"), bins=np.array([500, 500]))
    found = unable(model, replace(now, features=now.features | {"x": other}))
    assert "'x' is not counted in the bins that labels are known of" in found


def test_huge_errors_stay_numbers() -> None:
    rows, errors = World(13).rows(2_000)
    model = fit(columns(), codes(rows), np.abs(errors) * 1e69, "a test")
    found = model.of_window(seen(rows))
    assert all(np.isfinite([one.value or 0.0, one.error, one.high]).all() for one in found.values())
