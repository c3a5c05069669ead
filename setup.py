"""What pyproject.toml cannot say: the wheel also carries three folders of the repository's root."""

from setuptools import find_packages, setup

_SHIPPED = {"checks": "checks", "inventories": "inventories", "control_pages": "docs/controls"}

setup(
    packages=[*find_packages("src"), *(f"ipvs_audit.{name}" for name in _SHIPPED)],
    package_dir={"": "src"} | {f"ipvs_audit.{name}": place for name, place in _SHIPPED.items()},
)
