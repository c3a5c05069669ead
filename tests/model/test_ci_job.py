from __future__ import annotations

import pytest

from ipvs_audit.model.ci_job import job_link


@pytest.mark.parametrize(
    ("address", "link"),
    [
        ("https://ci.example.com/job/a%20b/12/", "https://ci.example.com/job/a%20b/12/"),
        ("http://ci:8080/job/1/?x=1", "http://ci:8080/job/1/?x=1"),
        ("https://user:hunter2@ci.example.com/1", "https://ci.example.com/1"),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("//ci.example.com/1", ""),
        ("https:///1", ""),
        ("https://ci.example.com/<script>", ""),
        ('https://ci.example.com/"onmouseover=x', ""),
        ("https://ci.example.com/\u202e1", ""),
        ("https://ci.example.com/ 1", ""),
        ("https://[ci/1", ""),
        ("https://ci.example.com/" + "x" * 3000, ""),
        ("", ""),
    ],
)
def test_only_a_plain_web_address_becomes_a_link(address: str, link: str) -> None:
    assert job_link({"BUILD_URL": address}) == link


def test_gitlab_names_its_job_by_another_variable() -> None:
    assert job_link({"CI_JOB_URL": "https://gitlab/x/-/jobs/1"}) == "https://gitlab/x/-/jobs/1"
