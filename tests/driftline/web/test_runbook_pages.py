import runbooks
from driftline.web.runbooks import rendered


async def test_every_runbook_has_its_page(browse):
    assert runbooks.kinds()
    index = (await browse("/runbooks")).text
    for kind in runbooks.kinds():
        assert f'href="/runbooks/{kind}"' in index
        answer = await browse(f"/runbooks/{kind}")
        assert answer.status_code == 200
        assert "<h2>" in answer.text


async def test_an_unknown_kind_lists_what_there_is(browse):
    for kind in ("Nothing", "..%2f..%2fREADME", "__init__"):
        answer = await browse(f"/runbooks/{kind}")
        assert answer.status_code == 404
    assert all(kind in answer.text for kind in runbooks.kinds())


def test_html_in_a_runbook_stays_text():
    html = rendered("# A <b>bold</b> <script>x</script>\n\n[link](javascript:alert(1))\n\n|a|\n|-|\n|1|\n")
    assert "<b>" not in html
    assert "<script" not in html
    assert 'href="javascript' not in html
    assert "<table>" in html
