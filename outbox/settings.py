"""Settings of publishing: the relay's own, and what it shares with the workers."""

from typing import Literal

from pydantic import AliasChoices, Field, SecretStr

from db.settings import DatabaseSettings
from messages.topology import tiers_seconds


class RelaySettings(DatabaseSettings):
    """Read from OMS_* variables."""

    amqp_url: SecretStr = Field(
        validation_alias=AliasChoices("OMS_AMQP_URL", "ORDER_EVENT_BROKER"),
        description="amqp://user:password@host:port/vhost",
    )
    prefix: str = Field(
        default="oms",
        pattern=r"^[a-z][a-z0-9-]{0,31}$",
        description="Begins every exchange and queue name: several shops can share one virtual host",
    )
    delay: Literal["ladder", "plugin"] = Field(
        default="ladder",
        description="ladder: one queue per delay tier, on any RabbitMQ; plugin: an x-delayed-message exchange",
    )
    payment_window_seconds: int = Field(  # S1-13
        default=1800, ge=1, le=30 * 86_400, description="How long an order waits for its payment; 30 minutes"
    )
    relay_batch_rows: int = Field(
        default=4_000,
        ge=1,
        le=20_000,
        description="Rows in flight at most, over all lanes: a few tenths of a second of publishing",
    )
    relay_batch_bytes: int = Field(
        default=32 * 1024 * 1024,
        ge=1024,
        description="Bytes of bodies read at once (but a row per shard at least): bounds the relay's memory",
    )
    relay_lanes: int = Field(
        default=2, ge=1, le=16, description="Slices of the shards that are read and published side by side"
    )
    lease_seconds: float = Field(
        default=10.0,
        ge=0.5,
        le=300,
        description="How long a dead relay's shards wait for another; renewed at a third, publishing stops at 70 %",
    )
    publish_timeout_seconds: float = Field(
        default=20.0, ge=0.1, le=300, description="Above any confirm a healthy quorum queue takes; then unknown"
    )
    hold_max_seconds: float = Field(
        default=60.0, ge=1, le=3600, description="Longest wait before a stream the broker refused is tried again"
    )
    poll_min_seconds: float = Field(
        default=0.02, gt=0, le=10, description="First look after work ran out; doubles while nothing comes"
    )
    poll_max_seconds: float = Field(
        default=1.0, gt=0, le=60, description="The net under the doorbell: a lost ring costs no more than this"
    )
    doorbell_quiet_seconds: float = Field(
        default=0.005,
        ge=0,
        le=1,
        description="A process rings at most once in this time, however often it commits; each hop may wait for it",
    )
    ops_host: str = Field(default="0.0.0.0", description="Where /live, /ready and /metrics listen")  # noqa: S104
    ops_port: int = Field(default=0, ge=0, le=65535, description="Port of /live, /ready and /metrics; 0 serves none")
    shutdown_grace_seconds: float = Field(
        default=20.0, ge=0, le=600, description="From SIGTERM to giving up; below Kubernetes' 30 seconds"
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least important log line that is written"
    )

    @property
    def tiers(self) -> tuple[int, ...]:
        """The delay tiers in seconds, as deployed."""
        return tiers_seconds(self.payment_window_seconds)
