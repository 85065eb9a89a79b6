from driftline.web.fleet import PAGE_SIZE, choose
from streams.views import ModelSummary


def model(name, state="ok", **values):
    return ModelSummary(model=name, state=state, updated_ms=0, **values)


def names(fleet):
    return [row.model for row in fleet.rows]


def test_what_is_wrong_comes_first():
    models = [
        model("a"),
        model("b", "unmonitored"),
        model("c", "warming"),
        model("d", "silent"),
        model("e", "firing", firing=1),
        model("f", "firing", firing=3),
    ]
    assert names(choose(models)) == ["f", "e", "d", "c", "b", "a"]


def test_every_model_is_on_exactly_one_page():
    models = [model(f"m{i:03}") for i in range(2 * PAGE_SIZE + 1)]
    pages = [choose(models, page=page) for page in (1, 2, 3)]
    assert [len(page.rows) for page in pages] == [PAGE_SIZE, PAGE_SIZE, 1]
    assert sorted(name for page in pages for name in names(page)) == [each.model for each in models]


def test_a_page_beyond_the_last_is_the_last():
    assert choose([model("a")], page=99).page == 1


def test_search_finds_models_and_teams_in_any_case():
    models = [model("Churn"), model("eta", team="CHURNERS"), model("fraud")]
    assert names(choose(models, q=" churn ")) == ["Churn", "eta"]


def test_a_filter_keeps_the_counts_of_all():
    fleet = choose([model("a"), model("b", "silent")], state="silent")
    assert names(fleet) == ["b"]
    assert fleet.counts["ok"] == fleet.counts["silent"] == 1


def test_an_unknown_state_filters_nothing():
    assert names(choose([model("a")], state="<b>")) == ["a"]
