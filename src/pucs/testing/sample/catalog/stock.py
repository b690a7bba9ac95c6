"""How many of each product are on the shelf."""

STOCK = {"apple": 120, "bread": 15, "cheese": 8}
