"""What one sees while something is missing."""

import socket

import pytest

from driftline.web import create_app


@pytest.fixture
async def stranded(visit):
    """An app whose store is gone."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    app = create_app(redis_url=f"redis://user:hunter2@127.0.0.1:{port}/0", timeout_s=0.5)
    async with visit(app) as client:
        yield client.get


@pytest.mark.parametrize("path", ["/", "/models/churn", "/?q=x"])
async def test_pages_say_kindly_that_the_store_is_gone(stranded, path):
    answer = await stranded(path)
    assert answer.status_code == 503
    assert "The store is out of reach" in answer.text
    assert "Traceback" not in answer.text
    assert "hunter2" not in answer.text
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    "path", ["models", "models/churn", "models/churn/panes", "models/churn/verdicts", "alerts"]
)
async def test_the_api_says_so_in_json(stranded, path):
    answer = await stranded(f"/api/v1/{path}")
    assert answer.status_code == 503
    assert "DRIFTLINE_REDIS" in answer.json()["detail"]
    assert "hunter2" not in answer.text


async def test_alive_but_not_ready_without_a_store(stranded):
    assert (await stranded("/healthz")).status_code == 200
    answer = await stranded("/readyz")
    assert answer.status_code == 503
    assert "does not answer" in answer.json()["reasons"][0]


async def test_runbooks_need_no_store(stranded):
    assert (await stranded("/runbooks")).status_code == 200


async def test_a_store_that_does_not_answer_in_time_is_gone(visit):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        app = create_app(redis_url=f"redis://127.0.0.1:{mute.getsockname()[1]}", timeout_s=0.2)
        async with visit(app) as client:
            assert (await client.get("/")).status_code == 503


async def test_the_page_is_back_with_the_store(visit):
    from driftline.embedded import EmbeddedStore

    with EmbeddedStore() as first:
        url = first.url
        app = create_app(redis_url=url, timeout_s=1)
        async with visit(app) as client:
            assert (await client.get("/")).status_code == 200
            first.stop()
            assert (await client.get("/")).status_code == 503


async def test_a_page_that_is_not_says_so(browse):
    answer = await browse("/nowhere")
    assert answer.status_code == 404
    assert "There is no such page" in answer.text
