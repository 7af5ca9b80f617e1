"""CVSS vectors -> scores from 0.0 to 10.0: what an advisory carries is the vector alone.

Source: the specifications of CVSS v3.1 (section 7, of which v3.0 differs in rounding only) and v4.0 (section 8), FIRST.Org. Of a v3
vector, the base metrics alone take part: the others say what holds at one place and time.
"""

from itertools import product
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from hardener.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

_V3: Final["Mapping[str, Mapping[str, float]]"] = MappingProxyType(
    {
        "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
        "AC": {"L": 0.77, "H": 0.44},
        "PR": {"N": 0.85, "L": 0.62, "H": 0.27},
        "UI": {"N": 0.85, "R": 0.62},
        "S": {"U": 6.42, "C": 7.52},
        "C": {"H": 0.56, "L": 0.22, "N": 0.0},
        "I": {"H": 0.56, "L": 0.22, "N": 0.0},
        "A": {"H": 0.56, "L": 0.22, "N": 0.0},
    }
)
_PRIVILEGES_WHEN_CHANGED: Final = MappingProxyType({"N": 0.85, "L": 0.68, "H": 0.5})

# What each metric of v4 may be, the most severe first, in steps from the most severe one.
_V4: Final["Mapping[str, Mapping[str, int]]"] = MappingProxyType(
    {
        "AV": {"N": 0, "A": 1, "L": 2, "P": 3},
        "PR": {"N": 0, "L": 1, "H": 2},
        "UI": {"N": 0, "P": 1, "A": 2},
        "AC": {"L": 0, "H": 1},
        "AT": {"N": 0, "P": 1},
        "VC": {"H": 0, "L": 1, "N": 2},
        "VI": {"H": 0, "L": 1, "N": 2},
        "VA": {"H": 0, "L": 1, "N": 2},
        "SC": {"H": 1, "L": 2, "N": 3},
        "SI": {"S": 0, "H": 1, "L": 2, "N": 3},  # S, a danger to life, in the modified metric only
        "SA": {"S": 0, "H": 1, "L": 2, "N": 3},
        "CR": {"H": 0, "M": 1, "L": 2},
        "IR": {"H": 0, "M": 1, "L": 2},
        "AR": {"H": 0, "M": 1, "L": 2},
    }
)
_BASE: Final = ("AV", "AC", "AT", "PR", "UI", "VC", "VI", "VA", "SC", "SI", "SA")
_UNTOLD: Final = MappingProxyType({"E": "A", "CR": "H", "IR": "H", "AR": "H"})
# The most severe vectors of each class of v4, by its metrics, and how many steps deep the class is.
_TOPS: Final["Mapping[str, tuple[str, ...]]"] = MappingProxyType(
    {
        "1": ("AV", "PR", "UI"),
        "10": ("NNN",),
        "11": ("ANN", "NLN", "NNP"),
        "12": ("PNN", "ALP"),
        "2": ("AC", "AT"),
        "20": ("LN",),
        "21": ("HN", "LP"),
        "3": ("VC", "VI", "VA", "CR", "IR", "AR"),
        "300": ("HHHHHH",),
        "301": ("HHLMMH", "HHHMMM"),
        "310": ("LHHHHH", "HLHHHH"),
        "311": ("LHLHMH", "LHHHMM", "HLHMHM", "HLLMHH", "LLHHHM"),
        "321": ("LLLHHH",),
        "4": ("SC", "SI", "SA"),
        "40": ("HSS",),
        "41": ("HHH",),
        "42": ("LLL",),
    }
)
_DEPTHS: Final = MappingProxyType(
    {"10": 1, "11": 4, "12": 5, "20": 1, "21": 2, "300": 7, "301": 6, "310": 8, "311": 8, "321": 10, "40": 6, "41": 5, "42": 4}
)
# The scores of the classes in tenths, in the order of their numbers; a class whose third digit is 2 and last is 0 cannot be.
_CLASSES: Final = [digits for digits in product(range(3), range(2), range(3), range(3), range(3), range(2)) if digits[2] < 2 or digits[5]]
_TENTHS: Final = (
    "100 99 98 95 95 92 100 96 93 87 91 81 93 90 89 80 81 68 98 95 95 92 90 84 93 92 89 81 81 65 "
    "88 80 78 70 69 48 92 82 72 79 69 50 69 55 27 99 97 95 92 92 85 95 91 90 83 84 71 92 81 82 "
    "71 72 53 95 93 92 85 85 73 92 82 80 72 70 59 84 70 71 52 50 30 86 75 52 71 52 29 63 29 17 "
    "98 95 94 87 91 81 94 89 86 74 77 64 87 75 74 63 63 49 94 89 88 77 76 67 86 76 74 58 59 50 "
    "72 57 57 52 52 25 83 70 54 65 58 26 53 21 13 95 90 88 76 76 70 90 77 75 62 61 53 77 66 68 "
    "59 52 30 89 78 76 67 62 58 74 59 57 57 47 23 61 52 57 29 24 16 71 59 30 58 26 15 23 13 6 "
    "93 87 86 72 75 58 86 74 74 61 56 34 70 54 52 40 40 22 85 75 74 55 62 51 72 57 55 41 46 19 "
    "53 36 34 19 19 8 64 51 20 47 21 11 24 9 4 88 75 73 53 60 50 73 55 59 40 41 20 54 43 45 "
    "22 20 11 75 55 58 45 40 21 61 51 48 18 20 9 46 18 17 7 8 2 53 24 14 24 12 5 10 3 1"
)


def score(vector: str) -> float | None:
    """Return the score of a vector of CVSS v3.0, v3.1 or v4.0; None when it is none."""
    version, _, rest = vector.strip().rstrip("/").partition("/")
    metrics: dict[str, str] = {}
    for part in rest.split("/"):
        name, colon, value = part.partition(":")
        if not colon or name in metrics:
            return None
        metrics[name] = value
    if version in ("CVSS:3.0", "CVSS:3.1"):
        return _third(metrics)
    return _fourth(metrics) if version == "CVSS:4.0" else None


def severity(points: float) -> Severity:
    """Return the severity of a score, by the scale that both versions share; none at all is `INFO`."""
    if points >= 7:
        return Severity.CRITICAL if points >= 9 else Severity.HIGH
    if points >= 4:
        return Severity.MEDIUM
    return Severity.LOW if points > 0 else Severity.INFO


def _third(metrics: dict[str, str]) -> float | None:
    if any(metrics.get(name) not in values for name, values in _V3.items()):
        return None
    value = {name: values[metrics[name]] for name, values in _V3.items()}
    changed = metrics["S"] == "C"
    if changed:
        value["PR"] = _PRIVILEGES_WHEN_CHANGED[metrics["PR"]]
    loss = 1 - (1 - value["C"]) * (1 - value["I"]) * (1 - value["A"])
    impact = 7.52 * (loss - 0.029) - 3.25 * (loss - 0.02) ** 15 if changed else 6.42 * loss
    if impact <= 0:
        return 0.0
    ease = 8.22 * value["AV"] * value["AC"] * value["PR"] * value["UI"]
    return _up(min((1.08 if changed else 1) * (impact + ease), 10))


def _up(value: float) -> float:
    """Round up to one decimal, untouched by how floating point numbers end: appendix A of v3.1."""
    whole = round(value * 100_000)
    return whole / 100_000 if whole % 10_000 == 0 else (whole // 10_000 + 1) / 10


def _fourth(given: dict[str, str]) -> float | None:
    if not set(_BASE) <= given.keys():
        return None
    value = {}
    for name in (*_V4, "E"):
        modified = given.get(f"M{name}", "X")
        plain = given.get(name, "X")
        told = modified if modified != "X" else plain if plain != "X" else _UNTOLD.get(name, "X")
        if told not in (_V4.get(name) or ("A", "P", "U")) or (plain == "S" and name in _BASE):
            return None
        value[name] = told
    if all(value[name] == "N" for name in ("VC", "VI", "VA", "SC", "SI", "SA")):
        return 0.0
    digits = _class(value)
    tenths: dict[tuple[int, ...], int] = dict(zip(_CLASSES, map(int, _TENTHS.split()), strict=True))
    top = tenths[digits]
    shares = []
    for keys, lower in _neighbours(digits):
        below = [tenths[next_] for next_ in lower if next_ in tenths]
        if below:
            shares.append((top - max(below)) * (_steps(value, keys) / _DEPTHS[keys] if keys else 0))
    result = top - (sum(shares) / len(shares) if shares else 0)
    return int(max(0.0, min(100.0, result)) + 0.5 + 1e-6) / 10


def _class(value: dict[str, str]) -> tuple[int, ...]:
    """Return the numbers of the six classes that a vector belongs to (the specification's macro vector)."""
    reach = [value["AV"] == "N", value["PR"] == "N", value["UI"] == "N"]
    first = 0 if all(reach) else 1 if any(reach) and value["AV"] != "P" else 2
    second = 0 if value["AC"] == "L" and value["AT"] == "N" else 1
    vulnerable = [value["VC"] == "H", value["VI"] == "H", value["VA"] == "H"]
    third = 0 if vulnerable[0] and vulnerable[1] else 1 if any(vulnerable) else 2
    fourth = 0 if "S" in (value["SI"], value["SA"]) else 1 if "H" in (value["SC"], value["SI"], value["SA"]) else 2
    fifth = "APU".index(value["E"])
    wanted = [value["CR"] == "H", value["IR"] == "H", value["AR"] == "H"]
    return first, second, third, fourth, fifth, 0 if any(a and b for a, b in zip(wanted, vulnerable, strict=True)) else 1


def _neighbours(digits: tuple[int, ...]) -> list[tuple[str, list[tuple[int, ...]]]]:
    """Return, for each class that has a depth, its key in `_TOPS`, and the next lower classes; the third and the sixth are one."""

    def lower(at: int) -> tuple[int, ...]:
        return (*digits[:at], digits[at] + 1, *digits[at + 1 :])

    third, sixth = digits[2], digits[5]
    both = [lower(5), lower(2)] if (third, sixth) == (0, 0) else [lower(5)] if (third, sixth) == (1, 0) else [lower(2)]
    return [
        (f"1{digits[0]}", [lower(0)]),
        (f"2{digits[1]}", [lower(1)]),
        (f"3{third}{sixth}", both),
        (f"4{digits[3]}", [lower(3)]),
        ("", [lower(4)]),
    ]


def _steps(value: dict[str, str], key: str) -> int:
    """Return how many steps a vector is below the most severe one of its class."""
    metrics = _TOPS[key[0]]
    for top in _TOPS[key]:
        # The specification takes the first top that nothing of the vector is above.
        steps = [_V4[name][value[name]] - _V4[name][best] for name, best in zip(metrics, top, strict=True)]
        if min(steps) >= 0:
            return sum(steps)
    return 0
