"""The catalog's tests."""

import unittest

from catalog.prices import price


class Catalog(unittest.TestCase):
    def test_price(self):
        self.assertEqual(price("apple"), 40)
