"""The templates, compiled once: by Jinja, and kept where Python keeps its own compiled modules.

Compiling them takes longer than filling in the pages of a few hosts. What is loaded is as safe as
the package's own code, since it lies in the ``__pycache__`` beside the templates; where that cannot
be written, they are compiled in each run.
"""

from __future__ import annotations

import zlib
from importlib.machinery import SourceFileLoader
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import BaseLoader

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from types import CodeType

    from jinja2 import Environment, Template

TEMPLATES = Path(__file__).parent / "templates"
#: How Jinja reads a template: what is compiled depends on it.
OPTIONS: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True}


class CompiledTemplates(BaseLoader):
    """Gives the templates of an environment that was made with :data:`OPTIONS`."""

    def load(
        self,
        environment: Environment,
        name: str,
        globals: MutableMapping[str, Any] | None = None,  # noqa: A002  # Jinja's name
    ) -> Template:
        """A template by the name of its file.

        Raises:
            OSError: there is none.
            TemplateSyntaxError: names file and line.
        """
        code: Any = _Compiled(environment, name).get_code(name)
        return environment.template_class.from_code(
            environment, code, environment.make_globals(globals)
        )


class _Compiled(SourceFileLoader):
    """Python's own way from a source to its code, with Jinja for a compiler."""

    def __init__(self, environment: Environment, name: str) -> None:
        super().__init__(name, str(TEMPLATES / name))
        self._environment = environment

    def path_stats(self, path: str) -> Mapping[str, Any]:
        """In place of the time of its last change: what the code is made from."""
        source = self.get_data(path)
        made_by = f"{version('jinja2')} {OPTIONS}".encode()
        return {"mtime": zlib.crc32(made_by, zlib.crc32(source)), "size": len(source)}

    def source_to_code(self, data: bytes, path: str) -> CodeType:  # type: ignore[override]
        return self._environment.compile(data.decode(), self.name, path)
