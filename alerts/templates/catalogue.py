"""Templates, compiled when the alerting file is read: so that every mistake is found with its line."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

from jinja2 import Template, TemplateSyntaxError, nodes

from alerts.errors import TemplateFailed, TemplateRefused
from alerts.notification import Notification, clip
from alerts.templates import data
from alerts.templates.budget import MAX_TEXT, budget
from alerts.templates.go import go_actions
from alerts.templates.sandbox import Dialect, Sandbox
from alerts.templates.syntax import Priced, macros_alone, mistakes

_SAID_LIMIT = 200
_FILE = "<template>"
_TOO_DEEP = "nested too deeply; split it into macros"
#: Characters of one template.
MAX_SOURCE = 100_000


@dataclass(frozen=True)
class Source:
    """A file of templates: macros that all templates can call."""

    name: str
    text: str


@dataclass(frozen=True)
class Mistake:
    """What is wrong in a file of templates."""

    name: str
    line: int
    message: str


@dataclass(frozen=True)
class Catalogue:
    """The files of templates, and what was compiled with them. Equal where their files are.

    Examples
    --------
    >>> catalogue = Catalogue((Source("our.jinja", "{% macro what() %}{{ title }} at {{ receiver }}{% endmacro %}"),))
    >>> catalogue.mistakes, sorted(catalogue.macros)
    ((), ['what'])
    >>> catalogue.check("plain", "{{ what() }}")
    """

    sources: tuple[Source, ...] = ()
    _sandboxes: dict[Dialect, Sandbox] = field(default_factory=dict, compare=False, repr=False)
    _files: dict[Dialect, Template] = field(default_factory=dict, compare=False, repr=False)
    _compiled: dict[tuple[Dialect, str], Template] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def _read(self) -> tuple[tuple[Mistake, ...], Mapping[str, str]]:
        """Return what is wrong with the files, and the macros there are, each with its file."""
        wrong: list[Mistake] = []
        homes: dict[str, str] = {}
        trees: list[tuple[Source, nodes.Template]] = []
        for source in self.sources:
            try:
                tree = _parsed(self._sandbox("plain"), source.text)
            except TemplateRefused as error:
                wrong += [Mistake(source.name, *one) for one in error.mistakes]
                continue
            trees.append((source, tree))
            wrong += [Mistake(source.name, *one) for one in macros_alone(tree)]
            for macro in (node for node in tree.body if isinstance(node, nodes.Macro)):
                if macro.name in homes:
                    told = f"a second macro {macro.name!r}, beside that of {homes[macro.name]}; rename one"
                    wrong.append(Mistake(source.name, macro.lineno, told))
                homes.setdefault(macro.name, source.name)
        # With a file that cannot be read, nobody knows which names there would be.
        names = (
            data.NAMES | homes.keys() | {"range", "namespace"} if len(trees) == len(self.sources) else None
        )
        for source, tree in trees:
            wrong += [Mistake(source.name, *one) for one in _wrong(tree, names)]
        return tuple(wrong), homes

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """What is wrong with the files, in their order."""
        return self._read[0]

    @property
    def macros(self) -> Mapping[str, str]:
        """Every macro with its file."""
        return self._read[1]

    def check(self, dialect: Dialect, text: str) -> None:
        """Compile a template.

        Raises
        ------
        TemplateRefused
            With every mistake of it.
        """
        self._template(dialect, text)

    def render(self, texts: Mapping[str, tuple[Dialect, str]], told: Notification) -> dict[str, str]:
        """Return what templates (each with its dialect) make of a notification, by the same names, from one budget.

        Raises
        ------
        TemplateFailed, TemplateRefused
            Where one cannot be carried out; says which, and in which line.
        """
        with budget():
            values = {dialect: self._values(dialect, told) for dialect, _ in texts.values()}
            return {
                name: self._rendered(dialect, name, text, values[dialect])
                for name, (dialect, text) in texts.items()
            }

    def _values(self, dialect: Dialect, told: Notification) -> dict[str, object]:
        values = dict(data.data(told))
        if self.sources:
            if dialect not in self._files:
                self._files[dialect] = self._file(dialect)
            module = self._files[dialect].make_module(values)
            values |= {name: getattr(module, name) for name in self.macros}
        return values

    def _rendered(self, dialect: Dialect, name: str, text: str, values: dict[str, object]) -> str:
        parts: list[str] = []
        length = 0
        try:
            for part in self._template(dialect, text).generate(values):
                length += len(part)
                if length > MAX_TEXT:
                    raise TemplateFailed(f"a text of more than {MAX_TEXT:,} characters; shorten it")
                parts.append(part)
        except Exception as error:
            # Whatever a template does wrong, its message goes out in other words.
            raise TemplateFailed(f"{name}{_line(error)}: {_said(error)}") from error
        return "".join(parts)

    def _template(self, dialect: Dialect, text: str) -> Template:
        key = (dialect, text)
        if key not in self._compiled:
            sandbox = self._sandbox(dialect)
            tree = _parsed(sandbox, text)
            known = None if self.mistakes else data.NAMES | self.macros.keys() | {"range", "namespace"}
            if found := _wrong(tree, known):
                raise TemplateRefused(found)
            self._compiled[key] = _compiled(sandbox, tree)
        return self._compiled[key]

    def _file(self, dialect: Dialect) -> Template:
        """Return the macros of all files as one template: so that each can call every other."""
        sandbox = self._sandbox(dialect)
        trees = (_parsed(sandbox, source.text).body for source in self.sources)
        macros = [node for node in chain(*trees) if isinstance(node, nodes.Macro)]
        tree = nodes.Template(macros, lineno=1)
        tree.set_environment(sandbox)
        return _compiled(sandbox, tree)

    def _sandbox(self, dialect: Dialect) -> Sandbox:
        return self._sandboxes.setdefault(dialect, Sandbox(dialect))


def _parsed(sandbox: Sandbox, text: str) -> nodes.Template:
    if len(text) > MAX_SOURCE:
        raise TemplateRefused([(1, f"longer than {MAX_SOURCE:,} characters; shorten it")])
    if found := list(go_actions(text)):
        raise TemplateRefused(found)
    try:
        return sandbox.parse(text)
    except TemplateSyntaxError as error:
        raise TemplateRefused([(error.lineno, error.message or "cannot be read")]) from error
    except RecursionError as error:
        raise TemplateRefused([(1, _TOO_DEEP)]) from error


def _wrong(tree: nodes.Template, names: Collection[str] | None) -> list[tuple[int, str]]:
    try:
        return sorted(set(mistakes(tree, names)))
    except TemplateSyntaxError as error:
        return [(error.lineno, error.message or "cannot be read")]
    except RecursionError:
        return [(1, _TOO_DEEP)]


def _compiled(sandbox: Sandbox, tree: nodes.Template) -> Template:
    try:
        code = sandbox.compile(Priced().visit(tree), filename=_FILE)
        return Template.from_code(sandbox, code, sandbox.make_globals(None))
    except TemplateSyntaxError as error:
        raise TemplateRefused([(error.lineno, error.message or "cannot be read")]) from error
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise TemplateRefused([(1, _TOO_DEEP)]) from error


def _frames(error: BaseException) -> Iterator[int]:
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _FILE:
            yield trace.tb_lineno
        trace = trace.tb_next


def _line(error: BaseException) -> str:
    # The first is the template's own; those after it are of macros it called.
    line = next(_frames(error), None)
    return "" if line is None else f", line {line}"


def _said(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "a macro calls itself too often"
    said = clip(str(error), _SAID_LIMIT)
    return said if isinstance(error, TemplateFailed) else f"{said or 'it fails'} ({type(error).__name__})"
