import pytest


async def test_alive_without_any_worker(browse):
    answer = await browse("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")


async def test_ready_when_every_stage_has_caught_up(browse, seed):
    for stage in ("profile", "judge", "desk"):
        seed.worker(stage)
    answer = await browse("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "reasons": []})


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"at_ms": 1_795_424_400_000 - 30_001}, "judge: judge-1 last reported 30 s ago"),
        ({"caught_up": False, "lag": 1203}, "judge: judge-1 is 1,203 records behind"),
    ],
)
async def test_not_ready_says_which_stage_and_why(browse, seed, values, reason):
    seed.worker("profile")
    seed.worker("desk")
    seed.worker("judge", **values)
    answer = await browse("/readyz")
    assert (answer.status_code, answer.json()["reasons"]) == (503, [reason])


async def test_a_stage_nobody_runs_says_how_to_run_it(browse):
    reasons = (await browse("/readyz")).json()["reasons"]
    assert len(reasons) == 3
    assert "driftline worker --stage profile" in reasons[0]


async def test_a_join_that_runs_must_keep_up_and_nobody_needs_one_without_labels(browse, seed):
    for stage in ("profile", "judge", "desk"):
        seed.worker(stage)
    seed.worker("join", caught_up=False, lag=5)
    assert (await browse("/readyz")).json()["reasons"] == ["join: join-1 is 5 records behind"]
    seed.worker("join", at_ms=1_795_424_400_000 - 3_600_001)
    assert (await browse("/readyz")).status_code == 200


async def test_one_ready_worker_of_a_stage_is_enough(browse, seed):
    for stage in ("profile", "judge", "desk"):
        seed.worker(stage)
    seed.worker("judge", worker="judge-2", caught_up=False, lag=9)
    seed.worker("judge", worker="judge-3", at_ms=0)
    assert (await browse("/readyz")).status_code == 200


async def test_metrics_are_for_prometheus(browse):
    answer = await browse("/metrics")
    assert answer.content == b"driftline_up 1\n"
    assert answer.headers["content-type"].startswith("text/plain; version=")
