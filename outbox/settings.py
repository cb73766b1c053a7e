"""The settings of publishing: those of the relay, and those that it shares with the workers."""

from typing import Annotated, Literal, Self

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import NoDecode

from db.errors import ConfigurationError
from db.settings import DatabaseSettings
from messages.carrier_modes import parse_carriers
from messages.cells import Cell, parse_cells
from messages.event_history import EventHistory
from messages.media import Medium, parse_media
from messages.topology import Names, tiers_seconds
from messages.warehouses import parse_warehouses

Warehouses = Annotated[dict[str, frozenset[str]], NoDecode, BeforeValidator(parse_warehouses)]
CellShards = Annotated[dict[str, frozenset[int]], NoDecode, BeforeValidator(parse_cells)]
Media = Annotated[tuple[Medium, ...], NoDecode, BeforeValidator(parse_media)]
Carriers = Annotated[dict[str, Literal["push", "poll"]], NoDecode, BeforeValidator(parse_carriers)]


class RelaySettings(DatabaseSettings):
    """Settings are read from OMS_* variables."""

    amqp_url: SecretStr = Field(
        validation_alias=AliasChoices("OMS_AMQP_URL", "ORDER_EVENT_BROKER"),
        description="URL of the broker: amqp://user:password@host:port/vhost",
    )
    management_url: SecretStr = Field(
        default=SecretStr(""),
        description="URL of the broker's management interface: http://user:password@host:15672. The relay uses it to "
        "name the subscriber whose queue refuses events",
    )
    prefix: str = Field(
        default="oms",
        pattern=r"^[a-z][a-z0-9-]{0,31}$",
        description="First part of every exchange and queue name, so that several shops can share a virtual host",
    )
    cells: CellShards = Field(
        default={},
        description="The cells of a shop that runs several copies, with the user shards that each owns, of 64: "
        "a:0-31,b:32-63. All processes have the same, and each its OMS_CELL; queues are then PREFIX-CELL.*. Empty: one "
        "copy",
    )
    cell: str = Field(default="", description="The cell of OMS_CELLS that this process works for")
    delay: Literal["ladder", "plugin"] = Field(
        default="ladder",
        description="ladder: one queue per delay tier, works on any RabbitMQ; plugin: an x-delayed-message exchange",
    )
    payment_window_seconds: int = Field(  # S1-13
        default=1800, ge=1, le=30 * 86_400, description="An unpaid order is cancelled after this time; 30 minutes"
    )
    fulfilment_warehouses: Warehouses = Field(
        default={},
        description="Warehouses that get their work in a queue of their own, PREFIX.warehouse.NAME: main; "
        "east=wms-east. Only the users named with a warehouse may report for it; without a user, every one with the "
        "role warehouse may. Take a warehouse out only when it has no open request",
    )
    carriers: Carriers = Field(
        default={},
        description="Carriers at which parcels are booked, through the service at FULFILLMENT_SERVICE_URL: sf; "
        "ups=poll. Those with =poll are polled for what happens to a parcel; the others send shipment.update. Declare "
        "the topology again after a change: each has a queue PREFIX.carrier-calls.NAME. Take one out only when its "
        "queue is empty",
    )
    event_history: bool = Field(
        default=False,
        description="on: the stream PREFIX.event-history keeps every event, so that a new consumer can get those from "
        "before its time. Declare the topology again after a change",
    )
    event_history_max_age_seconds: int = Field(
        default=90 * 86_400,
        ge=60,
        le=3650 * 86_400,
        description="Segments of the stream whose events are all older than this are deleted; 90 days",
    )
    event_history_max_bytes: int = Field(
        default=20 * 1024**3,
        ge=1024**2,
        le=2**50,
        description="The oldest segments are deleted while the stream takes more than this; 20 GiB hold some 10 "
        "million events",
    )
    event_history_segment_bytes: int = Field(
        default=100 * 1024**2,
        ge=1024**2,
        le=3 * 10**9,
        description="The size of one segment, which is a file of the broker",
    )
    notifications: Media = Field(
        default=(),
        description="How buyers are notified: off, or some of email,sms,push. Declare the topology again after a "
        "change: each has a queue PREFIX.notification-calls.MEDIUM, and PREFIX.buyer-notifications takes the events. "
        "After off, delete that queue, for it keeps filling",
    )
    relay_batch_rows: int = Field(
        default=4_000,
        ge=1,
        le=20_000,
        description="The most rows in flight, over all lanes: a few tenths of a second of publishing",
    )
    relay_batch_bytes: int = Field(
        default=32 * 1024 * 1024,
        ge=1024,
        description="The most bytes of bodies read at once (but at least a row per shard); limits the relay's memory",
    )
    relay_lanes: int = Field(
        default=2, ge=1, le=16, description="The shards are read and published in this many slices side by side"
    )
    lease_seconds: float = Field(
        default=10.0,
        ge=0.5,
        le=300,
        description="A dead relay's shards are free after this; relays renew each third and stop publishing at 70 %",
    )
    publish_timeout_seconds: float = Field(
        default=20.0,
        ge=0.1,
        le=300,
        description="After this a publish without an answer counts as unknown; healthy queues answer far sooner",
    )
    hold_max_seconds: float = Field(
        default=60.0, ge=1, le=3600, description="Longest wait before a refused stream is tried again"
    )
    reply_max_age_seconds: float = Field(
        default=300.0,
        ge=1,
        le=86_400,
        description="A reply that its queue refuses again at this age is dropped: the client has stopped waiting, and "
        "is answered again when the command is repeated",
    )
    poll_min_seconds: float = Field(
        default=0.02,
        gt=0,
        le=10,
        description="First poll of a relay that cannot listen for notifications; the interval doubles while it is idle",
    )
    poll_max_seconds: float = Field(
        default=1.0,
        gt=0,
        le=60,
        description="Longest interval between polls, and the usual one, since notifications wake the relay; a message "
        "waits this long if its notification is lost",
    )
    doorbell_quiet_seconds: float = Field(
        default=0.005,
        ge=0,
        le=1,
        description="A worker notifies the relays at most once in this time; it can add this much to each hop",
    )
    slow_statement_seconds: float = Field(
        default=1.0,
        gt=0,
        le=60,
        description="A statement that takes this long is logged, and counted by name in oms_db_slow_statements_total",
    )
    ops_host: str = Field(default="0.0.0.0", description="Address of /live, /ready and /metrics")  # noqa: S104
    ops_port: int = Field(default=0, ge=0, le=65535, description="Port of /live, /ready and /metrics; 0 serves none")
    shutdown_grace_seconds: float = Field(
        default=20.0, ge=0, le=600, description="Time to finish work after SIGTERM; below Kubernetes' 30 seconds"
    )

    tracing: Literal["off", "otlp"] = Field(
        default="off",
        description="otlp: spans go to a collector of OpenTelemetry by OTLP over HTTP; OTEL_EXPORTER_OTLP_ENDPOINT and "
        "the other standard variables say where, OTEL_TRACES_SAMPLER how many. It needs the extra `tracing`, which the "
        "image has",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lowest level of log lines that are written"
    )

    @model_validator(mode="after")
    def _known_cell(self) -> Self:
        if self.cell and self.cell not in self.cells:
            known = f"whose cells are {', '.join(self.cells)}" if self.cells else "which is not set"
            raise ValueError(f"the cell {self.cell} of OMS_CELL is not in OMS_CELLS, {known}")
        return self

    def require_cell(self) -> None:
        """Check that a process of a shop with cells knows which is its own. Raises ConfigurationError."""
        if self.cells and not self.cell:
            raise ConfigurationError(f"OMS_CELLS names cells: set OMS_CELL to one of {', '.join(self.cells)}")

    @property
    def own_cell(self) -> Cell | None:
        """The cell that this process works for; None in a shop without cells."""
        return Cell(self.cell, self.cells) if self.cell else None

    @property
    def names(self) -> Names:
        """The names of our exchanges and queues: those of the cell, if this process works for one."""
        return Names(self.prefix).of_cell(self.cell) if self.cell else Names(self.prefix)

    @property
    def tiers(self) -> tuple[int, ...]:
        """The delay tiers in seconds, as deployed."""
        return tiers_seconds(self.payment_window_seconds)

    @property
    def history(self) -> EventHistory | None:
        """How long the event history keeps events; None if there is none."""
        limits = (self.event_history_max_age_seconds, self.event_history_max_bytes, self.event_history_segment_bytes)
        return EventHistory(*limits) if self.event_history else None
