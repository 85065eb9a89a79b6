"""Names of environment variables, and secrets that stand in a variable or in a file."""

from pathlib import Path

from pydantic import SecretStr


def variable(field: str) -> str:
    """Return the environment variable of a setting.

    Examples
    --------
    >>> variable("public_url")
    'DRIFTLINE_PUBLIC_URL'
    """
    return f"DRIFTLINE_{field.upper()}"


def secret(value: SecretStr | None, file: Path | None) -> str | None:
    """Return a secret given either way; the line end that editors put behind it is no part of it.

    Raises
    ------
    ValueError
        When the file is no text, or empty.
    OSError
        When it cannot be read.
    """
    if file is None:
        return None if value is None else value.get_secret_value()
    try:
        text = file.read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError("is no text in UTF-8") from None
    if not text:
        raise ValueError("is empty")
    return text
