"""Security linting and hardening for containers: read, judge, run, say."""

__version__ = "0.1.0"


def data_folder(package: str) -> str:
    """Return the folder with the data of `hardener.<package>`: inside it in a wheel, the top-level folder of its name in a checkout."""
    import os

    here = os.path.dirname(os.path.abspath(__file__))
    packed = os.path.join(here, package, "data")
    return packed if os.path.isdir(packed) else os.path.join(os.path.dirname(here), package)
