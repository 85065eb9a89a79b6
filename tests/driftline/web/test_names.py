"""Names are a stranger's: they may hold anything, and must stay names."""

from urllib.parse import quote

import pytest

HOSTILE = "<script>alert('x')</script>\"' onload=\u202eevil&amp;"
NAMES = ["risk/eu", "a b", "größe", "模型", "a/panes", "x?y#z", "50%", "%2F", "a+b", "alerts", HOSTILE]


@pytest.mark.parametrize("name", NAMES)
async def test_any_name_has_its_page_and_its_figures(browse, seed, name):
    seed.whole_model(name)
    path = quote(name, safe="")
    assert (await browse(f"/models/{path}")).status_code == 200
    assert (await browse(f"/api/v1/models/{path}")).json()["summary"]["model"] == name
    assert len((await browse(f"/api/v1/models/{path}/panes")).json()) == 360
    assert (await browse(f"/api/v1/models/{path}/verdicts")).json()[0]["model"] == name
    assert len((await browse(f"/api/v1/models/{path}/alerts")).json()) == 3
    assert f'href="/models/{path}"' in (await browse("/")).text


async def test_a_slash_nobody_quoted_is_understood(browse, seed):
    seed.whole_model("risk/eu")
    assert (await browse("/models/risk/eu")).status_code == 200
    assert len((await browse("/api/v1/models/risk/eu/panes")).json()) == 360


async def test_a_quoted_slash_tells_a_model_from_anothers_panes(browse, seed):
    seed.summary("a/panes")
    seed.summary("a")
    assert (await browse("/api/v1/models/a%2Fpanes")).json()["summary"]["model"] == "a/panes"
    assert (await browse("/api/v1/models/a/panes")).json() == []


async def test_no_name_becomes_markup(browse, seed):
    summary = seed.summary(
        HOSTILE, state="firing", firing=1, team=HOSTILE, versions=[HOSTILE], not_judged=HOSTILE
    )
    column = seed.category(HOSTILE, {HOSTILE: (0.5, 0.5), "b": (0.5, 0.5)}, unlisted={HOSTILE: 1})
    window = seed.window(features=[column], unexpected={HOSTILE: 3}, not_judged=HOSTILE)
    seed.view(summary, window, seed.window(HOSTILE, HOSTILE))
    seed.verdict(
        HOSTILE, detector=HOSTILE, feature=HOSTILE, version=HOSTILE, segment=HOSTILE, sentence=HOSTILE
    )
    labels = {"alertname": HOSTILE, "severity": HOSTILE, "feature": HOSTILE, "version": HOSTILE}
    seed.alert(HOSTILE, labels=labels, annotations={"summary": HOSTILE, "description": HOSTILE + "!"})
    seed.worker("profile", worker=HOSTILE, caught_up=False)
    seed.pane(HOSTILE)
    for path in (
        "/",
        f"/models/{quote(HOSTILE, safe='')}",
        f"/?q={quote(HOSTILE)}",
        f"/models/x{quote(HOSTILE)}",
    ):
        text = (await browse(path)).text
        assert "alert(" in text
        assert "<script>alert" not in text
        assert "'x'" not in text


async def test_a_name_that_is_no_file_name_gets_one(browse, seed):
    seed.summary("../etc/größe: x", state="unmonitored")
    text = (await browse(f"/models/{quote('../etc/größe: x', safe='')}")).text
    assert "monitors/etc-größe-x.yaml" in text
    assert "model: &#34;../etc/größe: x&#34;" in text
