import re

import pytest

from driftline.web import create_app


@pytest.mark.parametrize(
    "path", ["/", "/models/x", "/nowhere", "/api/v1/models", "/healthz", "/static/driftline.css"]
)
async def test_every_answer_forbids_what_is_not_ours(browse, path):
    headers = (await browse(path)).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


async def test_pages_need_nothing_inline_and_nothing_from_elsewhere(browse, seed):
    seed.whole_model()
    for path in ("/", "/models/churn", "/runbooks", "/runbooks/FeatureDrift", "/api", "/nowhere"):
        text = (await browse(path)).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=\"/static/)", text), path
        assert not re.search(r'(?:src|<link[^>]*href)="(?!/static/)', text), path


async def test_files_change_their_address_with_their_content(browse):
    (address,) = re.findall(r'href="(/static/driftline\.css\?\w+)"', (await browse("/")).text)
    answer = await browse(address)
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("path", ["/static/nothing.css", "/static/..%2Fapp.py", "/static/../app.py"])
async def test_no_other_file_is_served(browse, path):
    assert (await browse(path)).status_code == 404


async def test_behind_a_proxy_every_link_has_its_path(redis_url, seed, visit):
    seed.whole_model()
    app = create_app(redis_url=redis_url, public_url="https://ops.example/drift/")
    async with visit(app) as client:
        for prefix in ("", "/drift"):
            for path in ("/", "/models/churn"):
                answer = await client.get(prefix + path)
                assert answer.status_code == 200
                assert not re.findall(r'(?:href|src|action)="/(?!drift/)', answer.text)
            assert (await client.get(f"{prefix}/static/refresh.js")).status_code == 200
            assert len((await client.get(f"{prefix}/api/v1/models/churn/panes")).json()) == 360
