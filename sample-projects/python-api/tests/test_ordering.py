import unittest

from versions.__main__ import answer
from versions.ordering import BadRequest, compare, newest


class Ordering(unittest.TestCase):
    def test_a_release_candidate_comes_before_its_release(self):
        self.assertEqual(compare("1.0rc1", "1.0")["order"], "<")

    def test_spelling_does_not_matter(self):
        self.assertEqual(compare("1.0", "v1.0.0")["order"], "=")

    def test_the_newest_that_is_allowed(self):
        self.assertEqual(newest(["1.9", "1.10", "2.0"], "<2")["newest"], "1.10")

    def test_nothing_is_allowed(self):
        self.assertIsNone(newest(["1.0"], ">2")["newest"])

    def test_not_a_version(self):
        with self.assertRaises(BadRequest):
            compare("one", "1")


class Http(unittest.TestCase):
    def test_health(self):
        self.assertEqual(answer("/healthz"), (200, {"status": "ok"}))

    def test_compare(self):
        self.assertEqual(answer("/compare?left=2&right=10")[1]["order"], "<")

    def test_a_missing_parameter_is_named(self):
        self.assertEqual(answer("/compare?left=2"), (400, {"error": "missing parameter 'right'"}))

    def test_unknown(self):
        self.assertEqual(answer("/nothing")[0], 404)
