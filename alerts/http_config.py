"""How a receiver shows who we are, and whom it trusts: what is of use of Alertmanager's ``http_config``."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from alerts.receiver_config import Section


def _refuse_redirects(value: Any) -> None:
    if value is not False:
        raise ValueError("redirects are never followed; leave it out, and write the final address")


def _refuse_unverified(value: Any) -> None:
    if value is not False:
        raise ValueError("certificates are always checked; write the authority's certificate into ca_file")


def _refuse_bearer(value: Any) -> None:
    raise ValueError("is the old way; write authorization: {credentials_file: …}")


def _printable(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value().isprintable():
        raise ValueError("holds a line break or another control character")
    return secret


Credentials = Annotated[SecretStr, AfterValidator(_printable)]
NoRedirects = Annotated[None, BeforeValidator(_refuse_redirects)]
AlwaysVerified = Annotated[None, BeforeValidator(_refuse_unverified)]
OldBearer = Annotated[None, BeforeValidator(_refuse_bearer)]


class Authorization(Section):
    """The header ``Authorization``: a type and a token."""

    type: str = Field(default="Bearer", pattern=r"^[A-Za-z0-9._-]+$", description="first word of the header")
    credentials: Credentials | None = Field(default=None, min_length=1, description="token")
    credentials_file: str | None = Field(default=None, min_length=1, description="file that holds the token")

    @model_validator(mode="after")
    def _one_token(self) -> "Authorization":
        if (self.credentials is None) == (self.credentials_file is None):
            raise ValueError("give either credentials or credentials_file")
        if self.type.lower() == "basic":
            raise ValueError("for user and password write basic_auth")
        return self


class BasicAuth(Section):
    """A user and a password."""

    username: str = Field(min_length=1, pattern=r"^[^:\x00-\x1f]+$", description="user; holds no colon")
    password: Credentials | None = Field(default=None, min_length=1, description="password")
    password_file: str | None = Field(default=None, min_length=1, description="file that holds the password")

    @model_validator(mode="after")
    def _one_password(self) -> "BasicAuth":
        if (self.password is None) == (self.password_file is None):
            raise ValueError("give either password or password_file")
        return self


class TlsConfig(Section):
    """Whom we trust, and the certificate we show; PEM files."""

    ca_file: str | None = Field(default=None, min_length=1, description="authorities; default: the system's")
    cert_file: str | None = Field(default=None, min_length=1, description="our certificate")
    key_file: str | None = Field(default=None, min_length=1, description="its key")
    insecure_skip_verify: AlwaysVerified = None

    @model_validator(mode="after")
    def _whole_pair(self) -> "TlsConfig":
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("give both cert_file and key_file, or neither")
        return self


class HttpConfig(Section):
    """Login and TLS of a receiver that speaks HTTP."""

    authorization: Authorization | None = Field(default=None, description="a token")
    basic_auth: BasicAuth | None = Field(default=None, description="a user and a password")
    tls_config: TlsConfig | None = Field(default=None, description="whom to trust, and who we are")
    follow_redirects: NoRedirects = None
    bearer_token: OldBearer = None
    bearer_token_file: OldBearer = None

    @model_validator(mode="after")
    def _one_login(self) -> "HttpConfig":
        if self.authorization is not None and self.basic_auth is not None:
            raise ValueError("give either authorization or basic_auth")
        return self

    @property
    def logs_in(self) -> bool:
        """Whether it sets the header ``Authorization``."""
        return self.authorization is not None or self.basic_auth is not None
