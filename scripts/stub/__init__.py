"""A stand-in for oms on a real RabbitMQ, for the tests of other teams: it answers from the contract's examples.

It checks each message as a worker does, keeps orders in memory, and has no database.
"""
