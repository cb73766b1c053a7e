"""Plans from sales: how much will be wanted, how much to order and when, what price earns most (S2-14 to S2-16)."""
