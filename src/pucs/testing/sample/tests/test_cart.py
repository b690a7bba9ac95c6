"""The cart's tests."""

import unittest

from cart.basket import total


class Cart(unittest.TestCase):
    def test_total(self):
        self.assertEqual(total({"apple": 2, "bread": 1}), 330)
