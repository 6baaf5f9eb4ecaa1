"""The monitor's pages in a browser: usable by everybody, and nothing that was sent runs in them."""

from __future__ import annotations

import contextlib
import json
import re
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from evenhand.monitor import demo, feedback, keys
from evenhand.monitor.feedback import Reported
from evenhand.monitor.store import open_store
from tests.real.looked_at import Visit, faults, opened
from tests.real.monitored import served

pytestmark = pytest.mark.real
REPORTS = 15  # that one sender may post at once; the others are stored by what the route calls
POLICY = """
name = "hostile"
minimum = 10

[[rule]]
name = "<img src=x onerror=window.ran=1>"
indicator = "selection_rate"
attribute = "sex"
tolerance = {ratio = 0.9}
"""


def read(address: str) -> str:
    with urllib.request.urlopen(address, timeout=60) as answer:
        return str(answer.read().decode())


def links(page: str) -> list[str]:
    """The pages of this service that a page leads to."""
    found = re.findall(r'<a [^>]*?href="(/[^"#]*)', page)
    return [one.replace("&amp;", "&") for one in found if not re.search(r"\.(json|csv)(\?|$)", one)]


def kind(link: str) -> str:
    """Links of one kind differ in what they name only."""
    return re.sub(r"=[^&]*", "", link)


def post(address: str, body: Any) -> Any:
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def test_every_page_can_be_used_by_everybody(browser: str, tmp_path: Path) -> None:
    with contextlib.closing(open_store(tmp_path)) as store:
        year = demo.fill(store, days=200, biased=80)
    assert year.alerted is not None
    with served("--no-auth", "--data", str(tmp_path)) as address, opened(browser) as running:
        menu = links(read(f"{address}/overview"))
        assert {"/overview", "/alerts", "/compare", "/audits", "/keys", "/service"} <= set(menu)
        seen: dict[str, str] = {}
        waiting = [*menu, "/login", "/feedback/new", "/feedback/state"]
        while waiting:
            link = waiting.pop(0)
            if kind(link) not in seen:
                seen[kind(link)] = link
                waiting += links(read(f"{address}{link}"))
        assert any(one.startswith("/group?") for one in seen)
        found = [fault for link in seen.values() for fault in faults(running, f"{address}{link}")]
    assert not found


SSO = """
header = "X-Forwarded-User"
groups_header = "X-Forwarded-Groups"
proxies = ["127.0.0.1"]
logout = "/oauth2/sign_out"

[[group]]
name = "admins"
role = "admin"
"""


def test_a_person_behind_a_proxy_makes_a_key_and_logs_out(browser: str, tmp_path: Path) -> None:
    own = tmp_path / "sso.toml"
    own.write_text(SSO, encoding="utf-8")
    ada = {"X-Forwarded-User": "ada@example.org", "X-Forwarded-Groups": "admins"}
    shown: list[str] = []

    def make(page: Any) -> None:
        page.get_by_text("Make a key").click()
        page.get_by_label("What it is for").fill(f"nightly job {len(shown)}")
        page.get_by_label("ingest:").check()
        page.get_by_label("Use cases, one a line").fill("loans")
        page.get_by_role("button", name="Make the key").click()
        shown.append(page.locator("code.key").inner_text())

    def log_out(page: Any) -> None:
        page.get_by_role("button", name="Log out").click()
        assert "keeps that session" in page.inner_text("main")

    with served("--data", str(tmp_path / "data"), "--sso", str(own)) as address, opened(browser) as running:
        found = faults(running, f"{address}/keys", Visit(headers=ada, act=_open_form))
        found += faults(running, f"{address}/keys", Visit(headers=ada, act=make))
        found += faults(running, f"{address}/overview", Visit(headers=ada, act=log_out))
        mallory = {"X-Forwarded-User": "mallory"}
        found += faults(running, f"{address}/overview", Visit(headers=mallory, answers=403))
        found += faults(running, f"{address}/login")
        without = running.new_context(java_script_enabled=False, extra_http_headers=ada)
        page = without.new_page()
        page.goto(f"{address}/keys")
        make(page)
        without.close()
    assert not found
    with contextlib.closing(open_store(tmp_path / "data")) as store:
        assert [keys.principal(store, one).use_cases for one in shown] == [{"loans"}] * 5


def _open_form(page: Any) -> None:
    page.get_by_text("Make a key").click()


# ---- what was sent never runs -----------------------------------------------------------------------------

_RUN = ("window.ran=1", "alert(1)")
_FOREIGN = 'script:not([src^="/static/"]), iframe, object, embed, main style, .plot a, .plot b'
_HTML = (
    "<script>{}</script>",
    "</title><script>{}</script>",
    "</svg><script>{}</script>",
    "</desc></svg><img src=x onerror={}>",
    "<img src=x onerror={}>",
    "<svg onload={}>",
    "<svg><script>{}</script></svg>",
    "<svg><animate onbegin={} attributeName=x dur=1s>",
    "<math><mtext></p><img src=x onerror={}></mtext></math>",
    "<body onload={}>",
    "<details open ontoggle={}>",
    "<iframe srcdoc='<script>parent.{}</script>'></iframe>",
    "<iframe src='javascript:parent.{}'></iframe>",
    "<object data='javascript:{}'></object>",
    "<embed src='javascript:{}'>",
    "<video><source onerror={}></video>",
    "<input autofocus onfocus={}>",
    "<style>@import 'data:text/css,*{{}}'</style><img src=x onerror={}>",
    "<template><script>{}</script></template>",
    "<!--><img src=x onerror={}>-->",
    "<noscript><p title='</noscript><img src=x onerror={}>'>",
    "<textarea></textarea><script>{}</script>",
    "</textarea><script>{}</script>",
    "</select><script>{}</script>",
    "</option></select><img src=x onerror={}>",
    "<meta http-equiv=refresh content='0;url=javascript:{}'>",
    "<base href='javascript:{}//'>",
    "<form action='javascript:{}'><button autofocus>x</button></form>",
    "<a href='javascript:{}' autofocus onfocus={}>x</a>",
    "<marquee onstart={}>x</marquee>",
)
_ATTRIBUTE = (
    '"><script>{}</script>',
    "'><script>{}</script>",
    '" onmouseover="{}" x="',
    "' onmouseover='{}' x='",
    '" autofocus onfocus="{}" x="',
    '"/><svg onload={}>',
    "` onload={} `",
    "x onerror={} ",
    "&quot;><img src=x onerror={}>",
    "&#34; onfocus=&#34;{}&#34; autofocus",
    '" style="animation-name:x" onanimationstart="{}"',
    '\\"><img src=x onerror={}>',
)
_URL = (
    "javascript:{}",
    "JaVaScRiPt:{}",
    "java&#115;cript:{}",
    "data:text/html,<script>parent.{}</script>",
    "//127.0.0.1/?x=<script>{}</script>",
)
_OTHER = (
    "</style><script>{}</script>",
    "x;}}</style><img src=x onerror={}>",
    "{{{{constructor.constructor('{}')()}}}}",
    "${{{}}}",
)
PAYLOADS = tuple(
    form.replace("{{", "\0").replace("}}", "\1").replace("{}", run).replace("\0", "{").replace("\1", "}")
    for form in (*_HTML, *_ATTRIBUTE, *_URL, *_OTHER)
    for run in _RUN
)[:100]


def test_nothing_that_was_sent_runs(browser: str, tmp_path: Path) -> None:
    assert len(set(PAYLOADS)) == 100
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY, encoding="utf-8")
    with served("--no-auth", "--data", str(tmp_path / "data"), "--policy", str(policy)) as address:
        for number, text in enumerate(PAYLOADS):
            sent = post(f"{address}/v1/events", list(_events(number, text)))
            assert sent["accepted"] == 8, sent
            if number < REPORTS:
                post(f"{address}/v1/reports", _report(text))
        with contextlib.closing(open_store(tmp_path / "data")) as store:
            for text in PAYLOADS[REPORTS:]:
                feedback.report(store, Reported.model_validate(_report(text)), "test")
        with opened(browser) as running:
            ran = list(_ran(running, address))
    assert not ran


def _report(text: str) -> dict[str, str]:
    return {"use_case": text, "model": text, "prompt": text, "answer": text, "why": text}


def _events(number: int, text: str) -> Iterator[dict[str, Any]]:
    """Two days of two versions, whose names, attributes and groups are `text`."""
    first = datetime.now(UTC) - timedelta(days=5)
    for at in range(8):
        yield {
            "prediction_id": f"{number}-{at}",
            "time": (first + timedelta(days=at // 2)).isoformat(),
            "use_case": text,
            "model": text,
            "version": text if at % 2 else f"{text} ",
            "decision": at % 3 % 2,
            "label": at % 2,
            "score": at / 8,
            "attributes": {text.replace("*", ""): text, "sex": f"{text}{at % 2}"},
        }


def _ran(running: Any, address: str) -> Iterator[str]:
    """What ran in any page; the content policy holds as it does for people, and would not be needed."""
    visit = running.new_context()
    page = visit.new_page()
    said: list[str] = []

    def dismiss(dialog: Any) -> None:
        said.append(f"a dialog on {page.url}")
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.on("console", lambda line: _refused(said, page.url, line.text))
    for link in _hostile_pages(address):
        answer = page.goto(f"{address}{link}")
        page.wait_for_load_state("load")
        if answer.status != (404 if link.startswith("/feedback/state") else 200):
            said.append(f"{link} answers {answer.status}")
        if page.evaluate("window.ran"):
            said.append(f"a script ran on {link}")
        if page.evaluate(f"document.querySelectorAll({_FOREIGN!r}).length"):
            said.append(f"{link} holds an element that was sent")
    visit.close()
    yield from said


def _refused(said: list[str], url: str, text: str) -> None:
    """A script that the content policy stopped was an escape that failed."""
    if "Content Security Policy" in text:
        said.append(f"{url}: {text[:200]}")


def _hostile_pages(address: str) -> Iterator[str]:
    yield from ("/overview", "/alerts", "/feedback", "/canaries", "/compare", "/report", "/audits", "/keys")
    found = json.loads(read(f"{address}/overview.json"))["alerts"]
    yield from (f"/alerts?id={one['id']}" for one in found[:20] if one["groups"] != "–")
    for text in PAYLOADS:
        place = {"use_case": text, "model": text}
        own = {**place, "version": text, "attribute": text.replace("*", "")}
        yield f"/version?{urlencode(own)}"
        yield f"/version?{urlencode({**place, 'attribute': 'sex'})}"
        yield f"/group?{urlencode({**own, 'group': text})}"
        yield f"/compare?{urlencode({'use_case': text})}"
        yield f"/report?{urlencode({'use_case': text})}"
        yield f"/feedback/state?{urlencode({'token': text})}"
