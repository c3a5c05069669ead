"""What pyproject.toml cannot say: the wheel also carries two folders of the repository's root."""

from setuptools import find_packages, setup

_SHIPPED = ("checks", "inventories")

setup(
    packages=[*find_packages("src"), *(f"ipvs_audit.{name}" for name in _SHIPPED)],
    package_dir={"": "src"} | {f"ipvs_audit.{name}": name for name in _SHIPPED},
)
