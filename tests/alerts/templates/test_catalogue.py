"""Templates: what they may hold, what they are given, and that none can cost much."""

import time
from collections.abc import Callable

import pytest

from alerts.errors import TemplateFailed, TemplateRefused
from alerts.notification import Notification
from alerts.templates.budget import MAX_TEXT
from alerts.templates.catalogue import Catalogue, Mistake, Source
from alerts.templates.data import NAMES, AlertData
from alerts.templates.sandbox import Dialect

Make = Callable[..., str]


@pytest.fixture
def make(told: Notification) -> Make:
    def made(text: str, dialect: Dialect = "plain", *files: str) -> str:
        sources = tuple(Source(f"{number}.jinja", file) for number, file in enumerate(files))
        return Catalogue(sources).render({"text": (dialect, text)}, told)["text"]

    return made


def test_a_template_says_what_it_is_told_of_a_notification(make: Make) -> None:
    text = """\
{{ status | upper }} {{ receiver }} {{ group_labels.model }} {{ common_labels.alertname }}
{% for alert in alerts.firing %}
- {{ alert.labels.feature }} {{ alert.severity }} since {{ alert.starts_at }}{{ alert.ends_at }}
{% endfor %}
{% for alert in alerts.resolved %}
- {{ alert.labels.feature }} over {{ alert.ends_at }} {{ alert.runbook_url }}
{% endfor %}
{{ external_url }}"""
    assert (
        make(text)
        == """\
FIRING ops churn Drift
- age critical since 2026-11-23T09:00:00.000Z
- plan warning since 2026-11-23T09:00:00.000Z
- zip over 2026-11-23T09:01:00.000Z https://drift.example/runbooks/Drift
https://drift.example"""
    )


def test_every_name_there_is_can_be_used(make: Make) -> None:
    for name in NAMES - {"alerts", "common_annotations", "common_labels", "group_labels", "notes"}:
        make(f"{{{{ {name} }}}}")
    for name in AlertData.NAMES - {"labels", "annotations", "features"}:
        make(f"{{{{ alerts[0].{name} }}}}")


def test_a_label_that_is_not_there_shows_nothing(make: Make) -> None:
    assert make("[{{ common_labels.nothing }}]{% if common_labels.nothing %}never{% endif %}") == "[]"


def test_macros_of_all_files_are_there_by_name_and_see_what_the_template_sees(make: Make) -> None:
    lines = "{% macro lines() %}{% for a in alerts.firing %}{{ one(a) }};{% endfor %}{% endmacro %}"
    one = "{# how we name them #}\n{% macro one(alert) %}{{ alert.labels.feature }}{% endmacro %}\n"
    assert make("{{ lines() }} {{ one(alerts[2]) }}", "plain", lines, one) == "age;plan; zip"


@pytest.mark.parametrize(
    ("dialect", "shown"),
    [
        ("plain", "churn <!channel> & co"),
        ("html", "churn &lt;!channel&gt; &amp; co"),
        ("mrkdwn", "churn &lt;!channel&gt; &amp; co"),
    ],
)
def test_what_comes_from_outside_is_escaped_and_what_the_template_writes_is_not(
    make: Make, dialect: Dialect, shown: str
) -> None:
    file = "{% macro model() %}<i>{{ common_labels.model }}</i>{% endmacro %}"
    text = "<b>{{ common_labels.model }}</b>{{ model() }}{{ '%s' | format(common_labels.model) }}"
    assert make(text, dialect, file) == f"<b>{shown}</b><i>{shown}</i>{shown}"


BOMBS = [
    "{% for i in range(10000) %}{% for j in range(10000) %}x{% endfor %}{% endfor %}",
    "{% for i in range(9) %}{% for j in range(9999) %}" + "x" * 9_000 + "{% endfor %}{% endfor %}",
    "{{ range(1000000000) | list }}",
    "{{ 'a' * 1000000000 }}",
    "{{ [1] * 1000000000 }}",
    "{{ 9 ** 9 ** 9 ** 9 }}",
    "{% set n = namespace(i=3) %}{% for i in range(1000) %}{% set n.i = n.i * n.i %}{% endfor %}",
    "{{ 'a' | center(1000000000) }}",
    "{{ 'a' | indent(1000000000) }}",
    "{{ '%999999999d' % 3 }}",
    "{{ '%*d' % (999999999, 3) }}",
    "{{ '%.999999999f' | format(3.0) }}",
    "{{ '{:999999999}'.format(3) }}",
    "{{ 1.5 | round(1000000000, 'floor') }}",
    "{% set a = 'a' | center(90000) %}{{ a | replace(' ', a) }}",
    "{% set a = 'a' | center(90000) %}{{ a | list | join(a) }}",
    "{% set a = 'a' | center(90000) %}{{ ('%s' * 1 ~ a) }}{{ a }}{{ a }}",
    "{% set n = namespace(t='xx') %}{% for i in range(100) %}{% set n.t = n.t ~ n.t %}{% endfor %}",
    "{% set n = namespace(t=[1]) %}{% for i in range(100) %}{% set n.t = n.t + n.t %}{% endfor %}",
    "{% set n = namespace(t=1) %}{% for i in range(100) %}{% set n.t = [n.t, n.t] %}{% endfor %}{{ n.t|tojson }}",
    "{% macro f(x, n) %}{% if n %}{{ f([x, x], n - 1) }}{% else %}{{ x | tojson }}{% endif %}{% endmacro %}"
    "{{ f(1, 60) }}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% set a = 'a' | center(90000) %}{% for i in range(10000) %}{{ 'zz' in a }}{% endfor %}",
    "{% set a = 'a' | center(90000) %}{% for i in range(10000) %}{% set b = a[1:] %}{% endfor %}",
    "{% for i in range(9999) %}{% for a in alerts if 'zz' in a.sentence %}{% endfor %}{% endfor %}",
    "{% for i in range(9999) %}{{ alerts | map(attribute='labels') | map('tojson') | join | length }}{% endfor %}",
]


@pytest.mark.parametrize("bomb", BOMBS)
def test_no_template_takes_long_or_makes_much(make: Make, bomb: str) -> None:
    begun_s = time.process_time()
    with pytest.raises(TemplateFailed):
        make(bomb)
    # Ample: it is about never ending, not about how fast.
    assert time.process_time() - begun_s < 5


def test_a_text_of_the_greatest_length_is_made(make: Make) -> None:
    assert len(make("{% for i in range(100) %}" + "x" * 999 + "{% endfor %}")) == 99_900 < MAX_TEXT


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ alerts[0]._alert }}",
        "{{ alerts[0].labels.update({'a': 'b'}) }}",
        "{{ alerts[0].labels.__class__ }}",
        "{{ self._TemplateReference__context }}",
        "{% set n = namespace() %}{{ n.__class__ }}",
        "{{ 'x'.encode() }}",
        "{{ alerts[0].sumary }}",
        "{{ common_labels.clear() }}",
    ],
)
def test_nothing_but_the_data_can_be_reached(make: Make, text: str) -> None:
    with pytest.raises(TemplateFailed):
        make(text)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("one\n{{ x", 2, "unexpected end of template"),
        ("{% for a in alerts %}", 1, "Unexpected end of template"),
        ("\n\n{{ common_label.x }}", 3, "there is no 'common_label'; did you mean common_labels?"),
        ("{{ title | uper }}", 1, "there is no filter 'uper'; did you mean upper?"),
        ("{{ lipsum() }}", 1, "there is no 'lipsum'"),
        ("{% if title is evn %}{% endif %}", 1, "there is no test 'evn'; did you mean even?"),
        ("{% include 'x' %}", 1, "nothing can be included"),
        ("{% import 'x' as y %}", 1, "nothing has to be imported"),
        ("{% extends 'x' %}", 1, "nothing can be extended"),
        ("{% block x %}{% endblock %}", 1, "{% macro name() %}"),
        ("{% autoescape false %}{% endautoescape %}", 1, "| safe"),
        ("{% for a in alerts recursive %}{% endfor %}", 1, "cannot call itself"),
        ("{{" + "(" * 5000 + ")" * 5000 + "}}", 1, "nested too deeply"),
        ("{% if 1 %}" * 200 + "{% endif %}" * 200, 1, "nested too deeply"),
        ("x" * 100_001, 1, "longer than 100,000 characters"),
    ],
)
def test_a_mistake_is_found_when_the_file_is_read(text: str, line: int, said: str) -> None:
    with pytest.raises(TemplateRefused) as refused:
        Catalogue().check("plain", text)
    first, *_ = refused.value.mistakes
    assert first[0] == line
    assert said in first[1]


def test_mistakes_of_files_are_told_with_file_and_line() -> None:
    catalogue = Catalogue(
        (
            Source("a.jinja", "{% macro one() %}\n{{ nothing }}{% endmacro %}\nloose words"),
            Source("b.jinja", "\n{% macro one() %}{% endmacro %}\n{% macro _two() %}{% endmacro %}"),
        )
    )
    assert sorted((one.name, one.line, one.message.split(";")[0]) for one in catalogue.mistakes) == [
        ("a.jinja", 2, "there is no 'nothing'"),
        ("a.jinja", 3, "stands outside a macro, and is never shown"),
        ("b.jinja", 2, "a second macro 'one', beside that of a.jinja"),
        ("b.jinja", 3, "macro '_two' begins with an underscore"),
    ]


def test_while_a_file_cannot_be_read_nobody_is_told_that_its_macros_are_missing() -> None:
    catalogue = Catalogue((Source("a.jinja", "{% macro one( %}"),))
    assert [type(one) for one in catalogue.mistakes] == [Mistake]
    catalogue.check("plain", "{{ one() }}")


def test_catalogues_are_equal_where_their_files_are() -> None:
    one, other = Catalogue((Source("a", "{# 1 #}"),)), Catalogue((Source("a", "{# 1 #}"),))
    one.check("plain", "{{ title }}")
    assert one == other != Catalogue((Source("a", "{# 2 #}"),))


def test_what_went_wrong_is_told_with_field_and_line(make: Make) -> None:
    with pytest.raises(TemplateFailed, match=r"^text, line 2: an alert has no 'lables'$"):
        make("\n{{ alerts[0].lables }}")
    with pytest.raises(TemplateFailed, match=r"^text, line 2: 'dict object' has no attribute 'owner'"):
        make("\n{{ common_labels.owner.name }}")
