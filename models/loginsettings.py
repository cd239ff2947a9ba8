"""How people come in over the network: `[login]` of settings.toml."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from models.targets import is_loopback
from models.values import Duration, Frozen, Id, SecretRef

LONGEST = timedelta(days=7)


class OidcSettings(Frozen):
    """A provider of identities: Entra ID, Keycloak, Okta and the like, by OpenID Connect with PKCE."""

    issuer: str = Field(pattern=r"^https?://[^\s?#]+$", max_length=300)
    client_id: str = Field(min_length=1, max_length=200)
    client_secret: SecretRef | None = Field(default=None, description="needed unless the client is public")
    name: str = Field(default="", max_length=60, description="what the button calls it; default: its host")
    scopes: tuple[str, ...] = Field(default=("openid", "profile", "email"), max_length=20)
    person_claim: str = Field(
        default="preferred_username",
        max_length=60,
        description="the claim that names somebody by id, account or mail address of the directory",
    )
    groups_claim: str = Field(default="groups", max_length=60)
    admit: tuple[str, ...] = Field(
        default=(), max_length=100, description="groups of which one must be in at least one; none: everybody"
    )
    roles: dict[str, tuple[Id, ...]] = Field(
        default_factory=dict,
        max_length=100,
        description="group -> roles that its members may use, of those the directory gives them; "
        "empty: all of those",
    )
    hosts: tuple[str, ...] = Field(
        default=(), max_length=5, description="hosts of its endpoints, besides the issuer's"
    )
    timeout: Duration = Field(default="5s", validate_default=True)

    @field_validator("issuer")
    @classmethod
    def _not_in_clear(cls, value: str) -> str:
        if value.startswith("http://") and not is_loopback(value):
            raise ValueError("expected https, because it says who somebody is (http only to this machine)")
        return value

    @property
    def title(self) -> str:
        """What the button calls it."""
        return self.name or (urlsplit(self.issuer).hostname or self.issuer)


class LoginSettings(Frozen):
    """How people log in, and how long a session lasts."""

    local: bool | None = Field(
        default=None,
        description="whoever asks from this machine is known by the account of their browser's process; "
        "default: if `host` is loopback and no `public_url` is given",
    )
    idle: Duration = Field(
        default="2h", validate_default=True, description="a session that nobody used for so long is over"
    )
    lasts: Duration = Field(
        default="12h", validate_default=True, description="a session is over after so long, used or not"
    )

    oidc: OidcSettings | None = None

    @field_validator("idle", "lasts")
    @classmethod
    def _within_a_week(cls, value: timedelta) -> timedelta:
        if not timedelta(minutes=1) <= value <= LONGEST:
            raise ValueError(f"expected between 1m and {LONGEST.days}d")
        return value
