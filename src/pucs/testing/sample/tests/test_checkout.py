"""The checkout's tests."""

import unittest

from checkout.receipt import lines


class Checkout(unittest.TestCase):
    def test_lines(self):
        self.assertEqual(lines({"apple": 2}), ["2 x apple", "total 80"])
