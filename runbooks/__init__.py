"""Runbooks: one Markdown file per alert kind, named after it, shipped with the package."""

from importlib.resources import files

_SUFFIX = ".md"


def kinds() -> list[str]:
    """Return the alert kinds that have a runbook, sorted.

    Examples
    --------
    >>> "FeatureDrift" in kinds()
    True
    """
    names = (entry.name for entry in files(__name__).iterdir())
    return sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))


def text(kind: str) -> str | None:
    """Return the Markdown of a kind's runbook, or None when there is none.

    Only a name listed by `kinds` is ever opened, so a path in ``kind`` reaches nothing.

    Parameters
    ----------
    kind
        Alert kind: the alert's ``alertname``.

    Examples
    --------
    >>> (text("FeatureDrift") or "").splitlines()[0]
    '# FeatureDrift'
    >>> text("../pyproject") is None
    True
    """
    if kind not in kinds():
        return None
    return files(__name__).joinpath(kind + _SUFFIX).read_text(encoding="utf-8")
