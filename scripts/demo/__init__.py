"""The demo: the whole system on real servers, under traffic that misbehaves on purpose (README.md has the modules).

`python -m scripts.demo` starts servers, workers, relays and test gateways, shows them, drains them and checks the
result. `python -m scripts.demo.client` is everything outside: buyers, a payment service, a warehouse, a carrier and a
sender of malformed messages. It knows only the wire and imports nothing of the order system.
"""
