"""Screens for people: what `oms order` shows, fitted to the width of the terminal.

layout fits tables and fields to a width. order_loading reads an order, which order_screen, timeline and
explanation_screen show; order_rows shows it as it is stored; order_search finds orders.
"""
