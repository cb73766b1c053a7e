"""A client of oms for other teams. Copy this folder: it needs pika, and nothing of oms."""

from oms_client.client import Answer, Client, NoAnswerError, ReceivedEvent, RefusedError, events, new_request_id

__all__ = ["Answer", "Client", "NoAnswerError", "ReceivedEvent", "RefusedError", "events", "new_request_id"]
