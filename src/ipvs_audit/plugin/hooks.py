"""What pytest needs of the audit before a session begins: the options, and the beginning itself.

Everybody waits for this module: whoever asks for ``--help``, mistypes an option or an inventory. So
what only an audit needs is imported when one begins (docs/performance.md has the figures), and
tests/plugin/test_start.py says what must not be imported before.
"""

from __future__ import annotations

import gc

import pytest

from ipvs_audit.model.stop_request import StopRequest
from ipvs_audit.model.usage_error import UsageError
from ipvs_audit.plugin.command import command_of
from ipvs_audit.plugin.fixtures import (  # noqa: F401  # pytest finds the fixtures here
    RUN,
    assessment,
    host,
    policy,
    remediation,
    snapshot,
    target,
)
from ipvs_audit.plugin.garbage import expect_none_among_the_old
from ipvs_audit.plugin.option_values import read_options
from ipvs_audit.plugin.options import add_options
from ipvs_audit.plugin.stop_signals import StopSignals
from ipvs_audit.plugin.terminal import survive_lost_output
from ipvs_audit.plugin.way_out import WayOut
from ipvs_audit.plugin.xdist_roles import is_controller, is_worker


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the audit's options."""
    config: pytest.Config = pluginmanager.get_plugin("pytestconfig")  # type: ignore[assignment]
    add_options(parser)
    # Shown with a usage error.
    parser.extra_info["the audit's options"] = WayOut(parser, config.invocation_params.args)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Bring in the columns of pytest-html's page where one is asked for.

    And leave out pytest's record of every test that there ever was, unless ``--nf`` asks for it: it
    grows with each fleet that is audited from here, and is read and held by each run.
    """
    plugins = config.pluginmanager
    if plugins.hasplugin("nfplugin") and not config.getoption("newfirst"):
        plugins.unregister(name="nfplugin")
    from ipvs_audit.plugin import selection  # noqa: PLC0415  # after mistyped options

    selection.refuse_an_inventory_as_check(config)
    selection.refuse_running_no_check(config)
    selection.declare_markers(config)
    if config.getoption("htmlpath", None):
        plugins.import_plugin("ipvs_audit.plugin.pytest_html_columns")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Read policy and inventory; what is wrong with them ends the run here, with exit 4."""
    gc.disable()
    try:
        _begin(session.config)
    except UsageError as wrong:
        raise pytest.UsageError(str(wrong)) from None
    finally:
        gc.freeze()  # modules are no garbage, and pytest looks through all objects when it ends
        gc.enable()


def _begin(config: pytest.Config) -> None:
    """Read what the user gave, and then bring in the audit.

    Raises:
        UsageError: for whatever is wrong with it.
    """
    from ipvs_audit.inventory.files import checked_sources  # noqa: PLC0415  # after --help

    command = command_of(config)
    typed = command.words if command else ("pytest", *map(str, config.invocation_params.args))
    options = read_options(config)
    if options.inventory:
        checked_sources(options.inventory)
    if options.snapshots is not None:
        expect_none_among_the_old(config)
    from ipvs_audit.audit.session import AuditSession  # noqa: PLC0415  # after a mistyped inventory

    stop = StopRequest(options.remedy.grace)
    signals = StopSignals(stop, stream=1)
    if not is_worker(config):
        signals.install()
        config.pluginmanager.register(signals, "ipvs-audit-stop-signals")
        survive_lost_output(config)
    audit = AuditSession(options, typed)
    if not is_worker(config):
        audit.check_options()
    if is_controller(config):
        from ipvs_audit.plugin.selection import refuse_before_workers  # noqa: PLC0415  # as above

        refuse_before_workers(config, audit)
    from ipvs_audit.plugin import session_hooks  # noqa: PLC0415  # after a mistyped policy
    from ipvs_audit.plugin.run import AuditRun  # noqa: PLC0415

    run = AuditRun(config, audit, stop)
    signals.last_words = run.last_words
    config.stash[RUN] = run
    config.pluginmanager.register(run, "ipvs-audit-run")
    config.pluginmanager.register(session_hooks, "ipvs-audit-session-hooks")
