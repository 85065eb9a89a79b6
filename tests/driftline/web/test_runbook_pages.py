import re

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


async def test_every_link_between_runbooks_leads_to_one(browse):
    for kind in runbooks.kinds():
        page = (await browse(f"/runbooks/{kind}")).text.partition("<article")[2]
        for link in re.findall(r'href="((?!https?:|#|/)[^"#]*)', page):
            assert (await browse(f"/runbooks/{link}")).status_code == 200, (kind, link)


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
