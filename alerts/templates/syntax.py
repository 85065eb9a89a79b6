"""A template's syntax tree: what it may hold, and where it is made to pay for what it does."""

import difflib
from collections.abc import Collection, Iterator

from jinja2 import Environment, meta, nodes
from jinja2.visitor import NodeTransformer

_CHARACTERS_A_STEP = 64
_REFUSED: tuple[tuple[type[nodes.Node], str], ...] = (
    (nodes.Block, "there are no blocks; write {% macro name() %} … {% endmacro %} in a file of templates"),
    (nodes.Extends, "nothing can be extended; call a macro of a file of templates"),
    (nodes.Include, "nothing can be included; call a macro of a file of templates"),
    (nodes.Import, "nothing has to be imported: macros of all files of templates are there by their names"),
    (
        nodes.FromImport,
        "nothing has to be imported: macros of all files of templates are there by their names",
    ),
    (nodes.ScopedEvalContextModifier, "escaping cannot be turned off; mark a value with | safe"),
)


def mistakes(tree: nodes.Template, names: Collection[str] | None) -> Iterator[tuple[int, str]]:
    """Yield what a template must not hold, with lines.

    Parameters
    ----------
    names
        What it may use without having set it; None where that is not known, and not asked.
    """
    environment = tree.environment
    assert environment is not None
    for kind, message in _REFUSED:
        yield from ((node.lineno, message) for node in tree.find_all(kind))
    for loop in tree.find_all(nodes.For):
        if loop.recursive:
            yield loop.lineno, "a loop cannot call itself; have a macro call itself"
    unknown_functions = list(_unknown_functions(tree, environment))
    yield from unknown_functions
    # Jinja2 looks for no names where it does not know all filters.
    if names is not None and not unknown_functions:
        unknown = meta.find_undeclared_variables(tree) - set(names)
        for name in sorted(unknown):
            lines = [node.lineno for node in tree.find_all(nodes.Name) if node.name == name]
            yield min(lines, default=1), f"there is no {name!r}{_nearest(name, names)}"


def macros_alone(tree: nodes.Template) -> Iterator[tuple[int, str]]:
    """Yield what stands beside macros in a file of templates, and macros with names that cannot be called."""
    for node in tree.body:
        if isinstance(node, nodes.Macro):
            if node.name.startswith("_"):
                yield node.lineno, f"macro {node.name!r} begins with an underscore; call it otherwise"
        elif not _is_blank(node):
            yield node.lineno, "stands outside a macro, and is never shown; put it into {% macro name() %}"


def _is_blank(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Output) and all(
        isinstance(one, nodes.TemplateData) and not one.data.strip() for one in node.nodes
    )


def _unknown_functions(tree: nodes.Template, environment: Environment) -> Iterator[tuple[int, str]]:
    for kind, word, known in (
        (nodes.Filter, "filter", environment.filters),
        (nodes.Test, "test", environment.tests),
    ):
        public = [name for name in known if not name.startswith("_")]
        for node in tree.find_all(kind):
            if node.name not in public:
                hint = _nearest(node.name, public)
                yield node.lineno, f"there is no {word} {node.name!r}{hint or _all(public)}"


def _all(names: Collection[str]) -> str:
    return f"; there are: {', '.join(sorted(names))}"


def _nearest(name: str, names: Collection[str]) -> str:
    near = difflib.get_close_matches(name, sorted(names), 1)
    return f"; did you mean {near[0]}?" if near else ""


class Priced(NodeTransformer):
    """Puts a price on all that could take long: turns of loops, lists, joined texts, comparisons, slices."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        """Have each turn cost what its body holds."""
        price = 1 + sum(map(_size, (*node.body, *([node.test] if node.test else []))))
        self.generic_visit(node)
        node.iter = _filtered(node.iter, "_each", nodes.Const(price, lineno=node.lineno))
        return node

    def _weighed(self, node: nodes.Node) -> nodes.Node:
        self.generic_visit(node)
        assert isinstance(node, nodes.Expr)
        # What is assigned to is no value.
        return node if getattr(node, "ctx", "load") != "load" else _filtered(node, "_weighed")

    visit_List = visit_Tuple = visit_Dict = visit_Concat = _weighed

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        """Weigh slices, which are copies."""
        self.generic_visit(node)
        return _filtered(node, "_weighed") if isinstance(node.arg, nodes.Slice) else node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        """Weigh both sides."""
        self.generic_visit(node)
        node.expr = _filtered(node.expr, "_weighed")
        for operand in node.ops:
            operand.expr = _filtered(operand.expr, "_weighed")
        return node


def _filtered(node: nodes.Node, name: str, *args: nodes.Expr) -> nodes.Filter:
    made = nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)
    assert node.environment is not None
    made.set_environment(node.environment)
    return made


def _size(node: nodes.Node) -> int:
    text = len(node.data) // _CHARACTERS_A_STEP if isinstance(node, nodes.TemplateData) else 0
    return 1 + text + sum(map(_size, node.iter_child_nodes()))
