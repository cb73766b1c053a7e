"""The demonstration: the whole system on real servers, under traffic that behaves badly on purpose.

`python -m scripts.demo` starts servers, workers and relays, shows them, drains and audits them.
`python -m scripts.demo.client` is the outside world: buyers, a payment service, a warehouse and carrier, a vandal.
It knows only the wire; nothing of ours is imported there.
"""
