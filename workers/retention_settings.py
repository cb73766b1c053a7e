"""The settings of retention: how many days a worker keeps what belongs to no order."""

from typing import Annotated, Literal

from pydantic import Field

from workers.notification_settings import DAYS_MAX, NotificationSettings


class RetentionSettings(NotificationSettings):
    """Read from OMS_* variables."""

    archive_after_months: Literal[0] | Annotated[int, Field(ge=6, le=600)] = Field(
        default=0,
        description="Orders of a month so many months ago are archived, each as one document without personal data, "
        "once nothing is left to happen with them; 0: never. 25 keeps two years",
    )
    commands_retention_days: int = Field(
        default=400,
        ge=46,
        le=DAYS_MAX,
        description="A request_id is known for this time: the same command gets its stored outcome again",
    )
    dead_letters_retention_days: int = Field(
        default=400, ge=30, le=DAYS_MAX, description="Decided dead letters are deleted this long after it"
    )
    cart_lines_retention_days: int = Field(
        default=365, ge=1, le=DAYS_MAX, description="Lines of carts that nobody changed are deleted after this time"
    )
    order_drafts_retention_days: int = Field(
        default=90,
        ge=1,
        le=DAYS_MAX,
        description="Drafts of orders that nobody saved again are deleted after this time",
    )
    issued_order_numbers_retention_days: int = Field(
        default=90, ge=1, le=DAYS_MAX, description="Order numbers that no order used expire after this"
    )
    believed_notifications_retention_days: int = Field(
        default=540,
        ge=180,
        le=DAYS_MAX,
        description="Genuine notifications of providers are kept this long; chargebacks come up to 18 months later",
    )
    rejected_notifications_retention_days: int = Field(
        default=30, ge=1, le=DAYS_MAX, description="Notifications that were not accepted as genuine are kept this long"
    )
    free_texts_retention_days: int = Field(
        default=400,
        ge=1,
        le=DAYS_MAX,
        description="Free texts, such as the reason of a cancellation, are deleted after this",
    )
    personal_data_retention_days: int = Field(
        default=1825,
        ge=1,
        le=DAYS_MAX,
        description="Addresses, remarks, notes, details of payments, evidence and places of parcels are deleted so long"
        " after their order; five years",
    )
    repairs_retention_days: int = Field(
        default=1825, ge=30, le=DAYS_MAX, description="Records of what oms repair did are kept this long; five years"
    )
    interventions_retention_days: int = Field(
        default=1825,
        ge=30,
        le=DAYS_MAX,
        description="Records of who fired or cancelled a timer, held a message or paused a consumer, and why, are kept "
        "this long; five years",
    )
    replay_runs_retention_days: int = Field(
        default=1825, ge=30, le=DAYS_MAX, description="Replays of dead letters are known for this time; five years"
    )
    dead_letter_notes_retention_days: int = Field(
        default=1825, ge=30, le=DAYS_MAX, description="Notes about dead letters are kept this long; five years"
    )
    address_accesses_retention_days: int = Field(
        default=1825,
        ge=30,
        le=DAYS_MAX,
        description="Records of who saw an address in clear, when and why, are kept this long; five years",
    )
    revision_resets_retention_days: int = Field(
        default=1825, ge=30, le=DAYS_MAX, description="Records of revision.reset are kept this long; five years"
    )
    buying_groups_retention_days: int = Field(
        default=400, ge=30, le=DAYS_MAX, description="Groups of buyers that have formed or failed are kept this long"
    )
