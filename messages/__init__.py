"""The wire: every message another system may send us or hear from us, as frozen models. Imports nothing of ours."""
