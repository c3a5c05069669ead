"""pytest's side of a session: its hooks. What they do lies elsewhere."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest

from ipvs_audit.controls.control import Check, control_of, judge, on_request
from ipvs_audit.model.verdict import Result, Verdict
from ipvs_audit.plugin.fast_runner import target_of
from ipvs_audit.plugin.fixtures import RUN
from ipvs_audit.plugin.garbage import expect_none_among_the_old
from ipvs_audit.plugin.outcomes import describe, properties, raise_outcome, recorded
from ipvs_audit.plugin.pytest_internals import fixture_info, fixture_values, parametrize_alike
from ipvs_audit.plugin.selection import mark_check, refuse_unknown_markers
from ipvs_audit.plugin.terminal import header
from ipvs_audit.plugin.xdist_roles import is_controller, is_worker
from ipvs_audit.snapshot import Failure

if TYPE_CHECKING:
    from collections.abc import Generator

    from ipvs_audit.plugin.run import AuditRun

RESULT = pytest.StashKey[Result]()


def pytest_report_header(config: pytest.Config) -> str:
    """Say who is about to be audited, and for what."""
    return header(config.stash[RUN].audit)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per check and host."""
    if "target" in metafunc.fixturenames:
        run = metafunc.config.stash[RUN]
        audited, ids = run.audit.audited, run.audit.ids
        parametrize_alike(
            metafunc, "target", audited, [ids[target.name] for target in audited], run.parameters
        )


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Collector, obj: object) -> list[pytest.Item] | None:
    """Mark the controls, and leave out those on request that were not asked for."""
    control = control_of(obj)
    mark_check(collector.config, obj)
    if control is not None and on_request(control) and not collector.config.stash[RUN].on_request:
        return []
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse a marker that there is not, before pytest selects by it."""
    try:
        refuse_unknown_markers(config, items)
    except pytest.UsageError:
        items.clear()  # pytest finishes the collection all the same, and hosts would be contacted
        raise


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Collect the evidence of all hosts that the selected checks need, before the first runs."""
    gc.freeze()  # as when the session began: the checks, and what they import
    config = session.config
    if config.option.collectonly or is_controller(config):
        return
    run = config.stash[RUN]
    if (
        run.remediation is not None
        and run.remediation.options.changes_hosts
        and session.testsfailed
    ):
        raise pytest.UsageError("a check could not be loaded (see above): nothing was changed")
    _refuse_duplicates(session.items)
    for item in session.items:
        if (target := target_of(item)) is not None:
            check: Check | None = getattr(item, "obj", None)
            control = control_of(check)
            run.add_needed(
                target.name, control, connection="host" in getattr(item, "fixturenames", ())
            )
            run.early_verdicts.add_check(check)
            if run.remediation is not None and check is not None and control is not None:
                run.remediation.add_check(target.name, check)
    if not is_worker(config):
        run.collect()
        run.measure_latency()
        run.remediate()
        expect_none_among_the_old(config)  # not before: connections leave some behind


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: list[str]) -> None:  # noqa: ANN401
    """Under ``-n`` the controller collects, once, as soon as a worker knows the tests."""
    run: AuditRun = node.config.stash[RUN]
    if not run.collected and not node.config.option.collectonly:
        run.add_needed_ids(ids)
        run.collect()
        run.measure_latency()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401
    """OnDone a worker where the controller puts the evidence."""
    node.workerinput["ipvs_audit_snapshots"] = str(node.config.stash[RUN].snapshots)


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run the controls without the hooks around a test, where nothing could notice."""
    if session.testsfailed or session.config.option.collectonly:
        return None
    return session.config.stash[RUN].fast_runner.run_all(session)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """The same where another plugin runs the tests, one by one."""
    return item.config.stash[RUN].fast_runner.take(item, nextitem) or None


@pytest.hookimpl(
    wrapper=True, trylast=True
)  # within pytest's capturing, which is registered before
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Evaluate a control once its fixtures are set up: an error then shows as pytest's error."""
    check: Check | None = getattr(item, "obj", None)
    control, target = control_of(check), target_of(item)
    if check is None or control is None or target is None:
        return (yield)
    run = item.config.stash[RUN]
    policy = run.audit.policies[target.name]
    evidence = run.evidence_to_judge(target.name)
    if isinstance(evidence, Failure):
        _attach(item, judge(check, evidence, policy))
        pytest.fail(evidence.message, pytrace=False)
    set_up = yield
    try:
        result = judge(check, evidence, policy, **_extra_arguments(item))
        result = run.audit.waivers.apply(target.name, result)
    except Exception as fault:
        _attach(item, recorded(control, fault))
        raise
    _attach(item, result)
    if result.verdict is Verdict.ERROR:
        pytest.fail(result.message, pytrace=False)
    return set_up


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Turn a control's verdict into pytest's outcome."""
    result = pyfuncitem.stash.get(RESULT, None)
    if result is None:
        return None
    raise_outcome(result, strict=pyfuncitem.config.stash[RUN].audit.options.strict)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the verdict travel with pytest's report, under xdist too."""
    report = yield
    result = item.stash.get(RESULT, None)
    target = target_of(item)
    told = "setup" if result is not None and result.verdict is Verdict.ERROR else "call"
    if result is not None and target is not None and call.when == told:
        control = control_of(getattr(item, "obj", None))
        vars(report)["ipvs_audit"] = describe(target.name, control, result)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the reports; a report that cannot be written is an exit code of its own."""
    run = session.config.stash.get(RUN, None)
    if run is not None and run.collected and not is_worker(session.config):
        session.exitstatus = run.finish(int(session.exitstatus))


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int) -> None:  # noqa: ANN401
    """Say what was found, in words, and where the report lies."""
    run = terminalreporter.config.stash.get(RUN, None)
    if run is not None:
        run.summarise(terminalreporter, exitstatus)


def _refuse_duplicates(items: list[pytest.Item]) -> None:
    """Two verdicts on a host by one control: the later would hide the earlier one."""
    checks: dict[str, pytest.Item] = {}
    asked: set[tuple[str, str]] = set()
    for item in items:
        control = control_of(check := getattr(item, "obj", None))
        if control is None:
            continue
        if getattr(item, "cls", None) is not None:
            raise pytest.UsageError(
                f"{item.path}: {control.id} is checked by a method of a class: make it a function"
            )
        first = checks.setdefault(control.id, item)
        if getattr(first, "obj", None) is not check:
            raise pytest.UsageError(
                f"{first.path} and {item.path} both check {control.id}: remove one, or give it"
                " another id"
            )
        target = target_of(item)
        if target is None or len(item.callspec.params) == 1:  # type: ignore[attr-defined]
            continue
        if (target.name, control.id) in asked:
            raise pytest.UsageError(
                f"{item.path}: {control.id} has parameters and would have several verdicts on"
                f" {target.name}, of which the last hides the others: make it one check, or one"
                " with an id of its own for each parameter"
            )
        asked.add((target.name, control.id))


def _attach(item: pytest.Item, result: Result) -> None:
    item.stash[RESULT] = result
    item.user_properties += properties(result)


def _extra_arguments(item: pytest.Item) -> dict[str, object]:
    """What a user's own check asks for beyond snapshot, policy and assessment, e.g. ``host``."""
    wanted, values = fixture_info(item).argnames, fixture_values(item)
    return {
        name: values[name] for name in wanted if name not in ("snapshot", "policy", "assessment")
    }
