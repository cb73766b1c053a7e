"""Screens for people: what `oms order` shows, fitted to the width of the terminal.

layout fits tables and fields to a width. order_loading reads an order, order_screen and timeline show it;
order_search finds orders. All but order_loading and order_search are pure.
"""
