"""Texts that an institution writes as templates: none reaches out of its sandbox, and none costs much."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.security.bounded import SECONDS, SLACK
from tests.security.corpora import document
from tests.test_budget import ROOT

NESTED = "{{ " + "services | join(" * 12 + "now" + ")" * 12 + " }}"
GROWING = (
    ("joined within joined", NESTED),
    ("a long text joined by a long text", "{{ '" + "x" * 20_000 + "' | join('" + "y" * 20_000 + "') }}"),
    ("a loop over the letters of an answer", "{% for a in now %}" + "{{ var('x') }}" * 90 + "{% endfor %}"),
    ("brackets in brackets", "{{ " + "(" * 3_000 + "now" + ")" * 3_000 + " }}"),
    ("blocks in blocks", "{% if now %}" * 3_000 + "{% endif %}" * 3_000),
    ("an open bracket, again and again", "{{ [" * 3_000),
)
SECRET = "canary-of-the-environment"  # noqa: S105 - made up


def test_each_is_refused_or_ends_within_a_second_and_256_mb_and_knows_no_secret() -> None:
    asked = [(one["why"], one["text"]) for one in document("jinja")["template"]] + list(GROWING)
    done = subprocess.run(
        [sys.executable, "-m", "tests.security.bounded"],
        input=json.dumps([text for _, text in asked]),
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HIKESHI_SECRET": SECRET},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    assert SECRET not in done.stdout
    found = json.loads(done.stdout)
    assert len(found) == len(asked)
    for (why, _), (draft, condition, took) in zip(asked, found, strict=True):
        assert draft == "refused", (why, draft)
        assert condition == "refused", why
        assert took <= SECONDS * SLACK, (why, took)
