"""What the shop can do. Every part of the shop adds its features here, so everybody wants this file."""

FEATURES = [
    "catalog",
    "cart",
    "checkout",
]
