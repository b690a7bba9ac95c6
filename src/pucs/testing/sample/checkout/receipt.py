"""The receipt a customer takes home."""

from cart.basket import total


def lines(items):
    """Return the lines of the receipt."""
    return [f"{count} x {product}" for product, count in sorted(items.items())] + [f"total {total(items)}"]


def heading(day):
    """Return the first line of the receipt."""
    return f"Corner shop, {day}"
