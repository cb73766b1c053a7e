"""The providers' side of their protocols: what test gateways speak, and what the tests of the adapters check them with.

Nothing here imports an adapter, so that a mistake on one side does not hide behind the same mistake on the other.
"""
