"""The providers' side of their protocols, for test gateways and for the tests of the provider adapters.

The demo and the end-to-end tests run the gateways; the tests of workers/providers use the protocol modules. Nothing
here imports an adapter, so that a mistake on one side cannot hide behind the same mistake on the other. Gateways
misbehave on request (see habits.py), because real providers do.
"""
