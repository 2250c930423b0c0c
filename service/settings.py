"""Settings of the API process: keyword arguments, else environment variables with the prefix INITSHAPE_."""

from __future__ import annotations

import ipaddress
import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from initshape.spec.estimate import Limits
from initshape.store.admission import Allowance
from initshape.store.settings import StoreSettings
from initshape.store.tls import Plaintext, Tls, check_address, plaintext_remark
from initshape.uploads.refusal import LARGEST_BYTES

SHORTEST_SECRET = 24


class Settings(BaseSettings):
    """What an operator may set. Printing it never shows a secret."""

    model_config = SettingsConfigDict(env_prefix="INITSHAPE_", frozen=True, extra="ignore", env_ignore_empty=True)

    redis_url: str = Field(default=StoreSettings.url, repr=False, description="The Redis to use.")
    redis_password: SecretStr | None = Field(default=None, description="Of Redis; rather in a file.")
    redis_password_file: Path | None = Field(default=None, description="The file that holds it.")
    redis_ca: Path | None = Field(default=None, description="PEM of the authority that signed Redis's certificate.")
    redis_cert: Path | None = Field(
        default=None, description="PEM of this client's certificate, if Redis asks for one."
    )
    redis_key: Path | None = Field(default=None, description="PEM of the key that belongs to it.")
    redis_plaintext: Plaintext = Field(default="warn", description="redis:// to another machine: warn, allow, refuse.")
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65_535, description="Port to listen on.")
    auth: bool = Field(default=True, description="False: loopback only, everyone is `local`, an admin.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="debug, info, warning or error."
    )
    log_format: Literal["auto", "json", "text"] = Field(
        default="auto", description="auto: text on a terminal, else JSON."
    )
    longest_wait: float = Field(default=60.0, ge=0, description="Longer long polls answer earlier, for proxies.")
    stream_seconds: float = Field(default=900.0, gt=0, description="Then a stream of events asks to reconnect.")
    webhooks: bool = Field(default=False, description="Tell of ended submissions by POST to the URLs that they name.")
    webhook_secret: SecretStr | None = Field(default=None, description="Of which every user's signing key is derived.")
    webhook_private: bool = Field(default=False, description="Also to addresses that are not public: this network's.")
    max_streams: int = Field(default=1000, ge=1, description="Open event streams of this process.")
    max_user_streams: int = Field(default=100, ge=1, description="Open event streams of one user, of this process.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Origins whose pages may read answers, with commas between; `*`: any. Default none."
    )
    max_body: int = Field(default=(1 << 20) + (1 << 17), ge=1024, description="Bytes of one JSON document.")
    max_yaml: int = Field(default=1 << 18, ge=1024, description="Bytes of one YAML document; YAML is slow to read.")
    max_upload: int = Field(default=LARGEST_BYTES, ge=1024, description="Bytes of one upload, its numbers as float64.")
    max_batch: int = Field(default=1 << 24, ge=1024, description="Bytes of one batch of experiments.")
    max_batch_lines: int = Field(default=10_000, ge=1, description="Experiments of one batch.")
    reads_per_second: float = Field(default=200.0, ge=0, description="Reading requests of one user; 0: any number.")
    writes_per_second: float = Field(default=100.0, ge=0, description="Other requests of one user; 0: any number.")
    max_active_jobs: int = Field(default=50_000, ge=0, description="Jobs of one user that wait or run; 0: any number.")
    max_stored: int = Field(default=20 << 30, ge=0, description="Bytes of one user's results and uploads; 0: any.")
    quota_for_admins: bool = Field(default=False, description="Whether these four hold for admins, too.")
    picture_cache: int = Field(default=32 << 20, ge=0, description="Bytes of rendered figures that are remembered.")
    audit_entries: int = Field(default=100_000, ge=0, description="Lines of the audit that are kept, about; 0: none.")
    max_job_memory: int = Field(default=Limits.memory, ge=1, description="Bytes that a job may take.")
    max_job_result: int = Field(default=Limits.result, ge=1, description="Bytes of one stored result.")
    max_job_seconds: float = Field(default=Limits.seconds, gt=0, description="Seconds that a job is expected to take.")

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _origins(cls, given: Any) -> Any:
        names = [part.strip() for part in given.split(",") if part.strip()] if isinstance(given, str) else given
        for name in names:
            if name != "*" and not re.fullmatch(r"https?://[^/?#@\s]+", str(name)):
                raise ValueError(f"{name!r} is no origin: write scheme, host and port, such as https://lab.example.org")
        return tuple(names)

    @model_validator(mode="after")
    def _can_sign(self) -> Settings:
        secret = self.webhook_secret.get_secret_value() if self.webhook_secret else ""
        if self.webhooks and len(secret) < SHORTEST_SECRET:
            raise ValueError(f"webhooks need INITSHAPE_WEBHOOK_SECRET, of at least {SHORTEST_SECRET} characters")
        return self

    @model_validator(mode="after")
    def _open_only_at_home(self) -> Settings:
        if not self.auth and not is_loopback(self.host):
            raise ValueError(f"without authentication the server listens on loopback only, not on {self.host!r}")
        return self

    @model_validator(mode="after")
    def _store_is_reached_safely(self) -> Settings:
        check_address(self.redis_url, self._tls)
        plaintext_remark(self.redis_url, self.redis_plaintext)
        return self

    @cached_property
    def limits(self) -> Limits:
        """What one job may take."""
        return Limits(memory=self.max_job_memory, result=self.max_job_result, seconds=self.max_job_seconds)

    @cached_property
    def allowance(self) -> Allowance:
        """What one user may ask for."""
        return Allowance(self.reads_per_second, self.writes_per_second, self.max_active_jobs, self.max_stored,
                         admins_exempt=not self.quota_for_admins)  # fmt: skip

    @property
    def store(self) -> StoreSettings:
        """How to reach Redis."""
        password = self.redis_password.get_secret_value() if self.redis_password else None
        if password is None and self.redis_password_file is not None:
            password = self.redis_password_file.read_text().strip()
        return StoreSettings(url=self.redis_url, password=password, tls=self._tls)

    @property
    def _tls(self) -> Tls:
        return Tls(self.redis_ca, self.redis_cert, self.redis_key)

    def redacted(self) -> dict[str, Any]:
        """The settings for a log: passwords masked, also one inside the URL."""
        shown = self.model_dump(mode="json")
        shown["redis_url"] = StoreSettings(self.redis_url).redacted_url
        return shown


def is_loopback(host: str) -> bool:
    """Whether a bind address or the name in a Host header can only mean this machine."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
