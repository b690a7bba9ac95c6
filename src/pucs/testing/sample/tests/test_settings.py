"""Tests of what all parts share."""

import unittest

from settings import FEATURES


class Settings(unittest.TestCase):
    def test_every_feature_once(self):
        self.assertEqual(len(FEATURES), len(set(FEATURES)))
