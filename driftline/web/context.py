"""What the routers share: the store, the clock, and how a page is made."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Annotated, Any
from urllib.parse import quote, unquote

from fastapi import Depends, Path, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from alerts.links import usable_link
from detectors.sentence import quantity
from driftline.configfile import yaml_text
from driftline.web import distributions, numerals, plots, times
from driftline.web.pulse import Pulse
from driftline.web.store import Store

STATIC_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Context:
    """Made once per app.

    Parameters
    ----------
    now_ms
        Wall clock, epoch ms.
    topic, brokers
        Where producers send predictions, for the words that teach it.
    static
        Style sheet, script and icon by file name.
    """

    store: Store
    pulse: Pulse
    now_ms: Callable[[], int]
    topic: str
    brokers: str
    templates: Environment
    static: Mapping[str, bytes] = field(repr=False)

    def page(
        self, request: Request, template: str, values: Mapping[str, Any], status: int = 200
    ) -> HTMLResponse:
        """Return a rendered page."""
        root = request.scope.get("root_path", "")
        text = self.templates.get_template(template).render(root=root, now_ms=self.now_ms(), **values)
        return HTMLResponse(text.encode("utf-8", "replace"), status)


def environment(static: Mapping[str, bytes]) -> Environment:
    """Return the templates, escaping everything, with the filters that make numbers and times readable."""
    templates = Environment(
        loader=PackageLoader("driftline.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "segment_of_url": segment_of_url,
        "integer": numerals.integer,
        "plain": numerals.plain,
        "per_second": numerals.per_second,
        "percent": numerals.percent,
        "milliseconds": numerals.milliseconds,
        "duration": times.duration,
        "epoch_ms": times.epoch_ms,
        "given": lambda values: {name: value for name, value in values.items() if value != ""},
        "file_name": file_name,
        "quantity": quantity,
        "yaml_text": yaml_text,
        "breakable": breakable,
        "usable_link": usable_link,
    }
    templates.globals |= {
        "ago": times.ago,
        "utc": times.utc,
        "sparkline": plots.sparkline,
        "distribution": distributions.distribution,
        "score_bar": distributions.score_bar,
        "digest": {name: hashlib.sha256(body).hexdigest()[:12] for name, body in static.items()},
    }
    return templates


def breakable(name: str) -> Markup:
    """Return a name, escaped, that may be broken behind an underscore rather than within a word.

    Examples
    --------
    >>> breakable("<missing_rate>")
    Markup('&lt;missing_<wbr>rate&gt;')
    """
    return Markup("_<wbr>").join(name.split("_"))


def load_static() -> dict[str, bytes]:
    """Return the files under ``static/`` by name."""
    return {
        entry.name: entry.read_bytes()
        for entry in files("driftline.web").joinpath("static").iterdir()
        if entry.name.endswith(tuple(STATIC_TYPES))
    }


def segment_of_url(name: str) -> str:
    """Return a name as one segment of a URL's path: slashes, spaces and the like are quoted.

    Examples
    --------
    >>> segment_of_url("risk/eu v2")
    'risk%2Feu%20v2'
    """
    return quote(name, safe="", errors="replace")


def file_name(model: str) -> str:
    """Return a model's name as a file can bear it.

    Examples
    --------
    >>> file_name("risk/eu v2"), file_name("…")
    ('risk-eu-v2', 'model')
    """
    return re.sub(r"[^\w.]+", "-", model).strip("-.") or "model"


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


def _model(
    m: Annotated[str, Path(description="Model name, URL-quoted: a slash in it is %2F", examples=["churn"])],
) -> str:
    return unquote(m)


ContextOf = Annotated[Context, Depends(_context)]
#: The path stays quoted until here (see `middleware.QuotedNames`).
ModelName = Annotated[str, Depends(_model)]
