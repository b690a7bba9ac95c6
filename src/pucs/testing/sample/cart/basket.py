"""What a customer wants to buy."""

from catalog.prices import price


def total(items):
    """Return the price of a basket of {product: count} in cents."""
    return sum(price(product) * count for product, count in items.items())
