"""Settings of how an installation is watched: its logs, its figures, its traces."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from models.targets import is_loopback
from models.values import Duration, Frozen, SecretRef


class LogSettings(Frozen):
    """How every process writes its log, on its standard error: `[logs]`."""

    format: Literal["text", "json"] = Field(default="text", description="`json`: one object a line")
    level: Literal["debug", "info", "warning", "error"] = "warning"


class MetricsSettings(Frozen):
    """Who may read `/metrics` besides programs on this machine: `[metrics]`."""

    token: SecretRef | None = Field(
        default=None,
        description="whoever sends it as a bearer token may read from elsewhere; default: nobody",
    )


class TracingSettings(Frozen):
    """Where traces are sent: `[tracing]`. Needs the extra `hikeshi[tracing]`."""

    endpoint: str = Field(
        pattern=r"^https?://[^\s]+$", description="OTLP by HTTP, such as https://collector.example/v1/traces"
    )
    token: SecretRef | None = Field(default=None, description="sent as a bearer token")
    service: str = Field(default="hikeshi", pattern=r"^[A-Za-z0-9._-]{1,100}$")
    timeout: Duration = Field(default="5s", validate_default=True)

    @model_validator(mode="after")
    def _not_in_clear(self) -> TracingSettings:
        if self.endpoint.startswith("http://") and self.token is not None and not is_loopback(self.endpoint):
            raise ValueError("endpoint: expected https, because a token is sent (http only to this machine)")
        return self
