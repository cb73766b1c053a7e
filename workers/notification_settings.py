"""The settings of notifications to buyers: the servers that take them, and how they are written."""

from datetime import timedelta
from email.utils import parseaddr
from pathlib import Path

from pydantic import Field, SecretStr

from db.errors import ConfigurationError
from messages.media import Medium
from outbox.settings import Media
from workers.notifiers import Notifying
from workers.notifiers.http import HttpSender
from workers.notifiers.port import LetterSender
from workers.notifiers.smtp import SmtpSender
from workers.notifiers.templates import LetterTemplates
from workers.sender_settings import SenderSettings

DAYS_MAX = 36_500  # a hundred years stand for ever


class NotificationSettings(SenderSettings):
    """Read from OMS_* variables."""

    notifications_paused: Media = Field(
        default=(),
        description="Media by which this worker sends nothing for now: email,sms,push. Their notifications wait in "
        "their queues, and expire as ever; the other media go on",
    )
    smtp_url: SecretStr | None = Field(
        default=None,
        description="The server that sends e-mails: smtp+starttls://user:password@host:587, smtps:// or smtp://; "
        "?cafile=PATH names certificates to trust besides those of the system. Each worker of their calls needs it",
    )
    notification_email_from: str = Field(
        default="", max_length=320, description="The mailbox that e-mails come from: Shop <orders@shop.example>"
    )
    sms_url: SecretStr | None = Field(
        default=None,
        description="The URL of the service that sends SMS; workers/notifiers/http.py shows its protocol",
    )
    sms_secret: SecretStr = Field(default=SecretStr(""), description="The bearer secret for that service")
    push_url: SecretStr | None = Field(
        default=None, description="The URL of the service that sends push messages, in the same protocol"
    )
    push_secret: SecretStr = Field(default=SecretStr(""), description="The bearer secret for that service")
    notification_templates_dir: str = Field(
        default="",
        description="A folder of the shop's own templates, which replace ours: en/order_paid.j2, frame.html",
    )
    notification_language: str = Field(
        default="en",
        pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$",
        description="The language of buyers for whose own there is no template",
    )
    notification_shop_name: str = Field(default="", max_length=100, description="The name that begins a subject")
    notification_expiry_seconds: int = Field(
        default=86_400,
        ge=60,
        le=30 * 86_400,
        description="A notification that could not be sent for this time is dropped; a day",
    )
    notification_timeout_seconds: float = Field(
        default=10.0, gt=0, le=60, description="A call to such a server times out after this, and is made again"
    )
    buyer_notifications_retention_days: int = Field(
        default=90, ge=46, le=DAYS_MAX, description="Records of notifications to buyers are kept this long"
    )

    @property
    def senders(self) -> dict[str, LetterSender]:
        """The media by which this worker can send itself. Raises ConfigurationError."""
        timeout_seconds, found = self.notification_timeout_seconds, dict[str, LetterSender]()
        wanted = set(self.notifications) - set(self.notifications_paused)
        if Medium.EMAIL in wanted and self.smtp_url is not None:
            if "@" not in parseaddr(self.notification_email_from)[1]:
                raise ConfigurationError("OMS_NOTIFICATION_EMAIL_FROM needs a mailbox: Shop <orders@shop.example>")
            try:
                found[Medium.EMAIL] = SmtpSender(
                    self.smtp_url.get_secret_value(), self.notification_email_from, timeout_seconds
                )
            except ValueError as error:
                raise ConfigurationError(f"OMS_SMTP_URL {error}") from None
        over_http = (Medium.SMS, self.sms_url, self.sms_secret), (Medium.PUSH, self.push_url, self.push_secret)
        for medium, url, secret in over_http:
            if medium in wanted and url is not None:
                found[medium] = HttpSender(medium, url.get_secret_value(), secret.get_secret_value(), timeout_seconds)
        return found

    @property
    def notifying(self) -> Notifying:
        """How this worker notifies buyers. Raises ConfigurationError."""
        folder = self.notification_templates_dir
        if folder and not Path(folder).is_dir():
            raise ConfigurationError("OMS_NOTIFICATION_TEMPLATES_DIR is no folder that this worker can read")
        return Notifying(
            self.notifications,
            self.senders,
            LetterTemplates(folder, self.notification_shop_name),
            self.notification_language,
            timedelta(seconds=self.notification_expiry_seconds),
            self.attempts_max,
        )
