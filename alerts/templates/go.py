"""Go templates, as Alertmanager has them: found in a text, each with the Jinja2 that says the same."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_KEYWORD = re.compile(r"(?:range|if|else|end|define|template|with|block)\b|/\*|\$|\.(?![\w.]*\()")
_IN_GO = re.compile(
    r"""[\s(]\.[A-Z]|^(?:not|and|or)\s+[.$]|^(?:len|eq|ne|join|printf|index|toUpper|toLower|title)\s+[."$(]|:="""
)
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|`[^`]*`|\$?\.?[A-Za-z_][\w.]*|\$|\.|-?\d[\d.]*|[()|]')
_OPERATORS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "and": "and", "or": "or"}
_FILTERS = {
    "toUpper": "upper", "toLower": "lower", "title": "title", "len": "length", "safeHtml": "safe",
    "trimSpace": "trim", "urlquery": "urlencode",
}  # fmt: skip
_NAMES = {
    "Alerts": "alerts", "Annotations": "annotations", "CommonAnnotations": "common_annotations",
    "CommonLabels": "common_labels", "EndsAt": "ends_at", "ExternalURL": "external_url", "Firing": "firing",
    "Fingerprint": "fingerprint", "GeneratorURL": "generator_url", "GroupLabels": "group_labels", "Labels": "labels",
    "Receiver": "receiver", "Resolved": "resolved", "StartsAt": "starts_at", "Status": "status",
}  # fmt: skip


@dataclass(slots=True)
class _Scope:
    """What is open at a place: how each ends, and what the dot stands for."""

    ends: list[str] = field(default_factory=list)
    dots: list[str] = field(default_factory=lambda: [""])


def go_actions(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line (from 1) of each Go action of a text, and what to write instead.

    Examples
    --------
    >>> list(go_actions('{{ .CommonLabels.model }}: {{ len .Alerts.Firing }}'))[0]
    (1, 'Go template {{ .CommonLabels.model }}; templates are Jinja2 here: write {{ common_labels.model }}')
    >>> list(go_actions("{{ common_labels.model }}"))
    []
    """
    scope = _Scope()
    for found in _ACTION.finditer(text):
        inner = found[1]
        if not _KEYWORD.match(inner) and not _IN_GO.search(inner):
            continue
        line = text.count("\n", 0, found.start()) + 1
        written = _jinja(inner, scope)
        remedy = f"write {written}" if written else "see Templates in docs/alerting.md"
        shown = " ".join(inner.split())[:80]
        yield line, f"Go template {{{{ {shown} }}}}; templates are Jinja2 here: {remedy}"


def macro_name(name: str) -> str:
    """Return a Go template's name as a macro can bear it.

    Examples
    --------
    >>> macro_name("slack.title"), macro_name("__alert_list")
    ('slack_title', 'alert_list')
    """
    return re.sub(r"\W+", "_", name).strip("_") or "block"


def _jinja(inner: str, scope: _Scope) -> str:
    word, _, rest = inner.partition(" ")
    rest = rest.strip()
    if inner.startswith("/*"):
        return "{# … #}"
    if word == "end":
        scope.dots.pop() if len(scope.dots) > 1 else None
        return f"{{% {scope.ends.pop() if scope.ends else 'endif'} %}}"
    if word == "else":
        condition = rest.removeprefix("if").strip()
        return f"{{% elif {_pipeline(condition, scope)} %}}" if condition else "{% else %}"
    if word in ("if", "with"):
        condition = _pipeline(rest, scope)
        return _open(scope, f"if {condition}", "endif", condition if word == "with" else scope.dots[-1])
    if word in ("define", "block"):
        return _open(scope, f"macro {macro_name(_first_text(rest))}()", "endmacro", "")
    if word == "range":
        return _range(rest, scope)
    if word == "template":
        return f"{{{{ {macro_name(_first_text(rest))}() }}}}"
    if assigned := re.match(r"\$(\w+)\s*:?=\s*(.+)", inner, re.DOTALL):
        return f"{{% set {assigned[1]} = {_pipeline(assigned[2], scope)} %}}"
    shown = _pipeline(inner, scope)
    return f"{{{{ {shown} }}}}" if shown else ""


def _open(scope: _Scope, tag: str, end: str, dot: str) -> str:
    scope.ends.append(end)
    scope.dots.append(dot)
    return f"{{% {tag} %}}"


def _range(rest: str, scope: _Scope) -> str:
    named = re.match(r"(?:\$(\w+)\s*,\s*)?\$(\w+)\s*:=\s*(.+)", rest, re.DOTALL)
    items = _pipeline(named[3] if named else rest, scope)
    if named and named[1]:
        return _open(scope, f"for {named[1]}, {named[2]} in {items}.items()", "endfor", named[2])
    if items.endswith(" | dictsort"):
        return _open(scope, f"for name, value in {items}", "endfor", "pair")
    name = named[2] if named else "alert" if "alerts" in items else "one"
    return _open(scope, f"for {name} in {items}", "endfor", name)


def _pipeline(text: str, scope: _Scope) -> str:
    stages: list[list[str]] = [[]]
    for token in _TOKEN.findall(text):
        if token == "|":
            stages.append([])
        else:
            stages[-1].append(token)
    made = _call(stages[0], scope)
    for stage in stages[1:]:
        name, *given = stage or [""]
        arguments = ", ".join(_operand(one, scope) for one in given)
        if name == "join":
            made = f"{made} | join({arguments})"
        elif name in _FILTERS:
            made = f"{made} | {_FILTERS[name]}"
        else:
            return ""
    return made


def _call(tokens: list[str], scope: _Scope) -> str:
    if not tokens or "(" in tokens:
        return ""
    name, *given = tokens
    operands = [_operand(one, scope) for one in given]
    if not given:
        return _operand(name, scope)
    if name in ("and", "or") or (name in _OPERATORS and len(given) == 2):
        return f" {_OPERATORS[name]} ".join(operands)
    if name == "not":
        return f"not {operands[0]}"
    if name == "printf":
        return f"{operands[0]} | format({', '.join(operands[1:])})"
    if name == "index":
        return operands[0] + "".join(f"[{one}]" for one in operands[1:])
    if name == "join":
        return f"{operands[-1]} | join({operands[0]})"
    return f"{operands[-1]} | {_FILTERS[name]}" if name in _FILTERS else ""


def _operand(token: str, scope: _Scope) -> str:
    if token[0] in '"`':
        return f'"{token[1:-1]}"'
    if token[0] not in ".$":
        return token
    dot = "" if token[0] == "$" else scope.dots[-1]
    path = token.lstrip("$").strip(".").split(".")
    if token[0] == "$" and not token.startswith("$."):
        dot, path = path[0], path[1:]
    if dot == "pair" and path in (["Name"], ["Value"]):
        return path[0].lower()
    return _path(dot, [step for step in path if step])


def _path(dot: str, steps: list[str]) -> str:
    made, of_labels = [dot] if dot else [], False
    for step in steps:
        if step == "SortedPairs":
            return ".".join(made) + " | dictsort"
        if step in ("Names", "Values"):
            return ".".join(made) + (".keys()" if step == "Names" else ".values()")
        made.append(step if of_labels else _NAMES.get(step, step))
        of_labels = step in ("Labels", "Annotations", "GroupLabels", "CommonLabels", "CommonAnnotations")
    return ".".join(made)


def _first_text(text: str) -> str:
    found = re.search(r'["`]([^"`]*)["`]', text)
    return found[1] if found else ""
