"""The scenarios of notifications to buyers."""

from messages.base import Message
from messages.contacts import ContactSet
from messages.media import Medium
from tests.e2e.scenarios import Arrange, plain, unique
from tests.handlers.builders import user


def contact(key: int) -> Message:
    """A contact of a user of its own."""
    name = f"u{key}"
    about = {"request_id": unique(), "actor": user(name), "user_id": name, "medium": Medium.EMAIL}
    return ContactSet.model_validate(about | {"address": f"{name}@mail.example"})


CONTACTS: dict[str, Arrange] = {"contact.set": plain(contact)}
