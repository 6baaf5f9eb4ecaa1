// Says of when the part of a page is that htmx fetches again, and lets people stop that. What could not be
// refreshed never looks fresh: an old table would be read as "no alert".
(function () {
  "use strict";
  const FAILED = "could not be refreshed since, and may be out of date";
  const SIGNED_OUT = "you are no longer signed in; load this page again to sign in";
  const WAITING = "being refreshed now";
  const OLD = 75000; // milliseconds without an answer
  const LATE = 15000; // the same, of a part that is old and was asked for again
  const about = document.getElementById("live-about");
  if (!about || !window.htmx) return;
  const [text, button, said] = about.children;
  const changed = document.getElementById("live-changed");
  const live = () => document.getElementById("live");
  const loaded = live().dataset.alerts;
  let [since, alerts, stopped, trouble] = [Date.now(), loaded, false, ""];

  function show() {
    const time = live().dataset.asOf; // when the service wrote it: pages are kept for some seconds
    const how = trouble || (stopped ? "no longer refreshed" : "refreshed every 30 seconds");
    about.classList.toggle("old", trouble === FAILED || trouble === SIGNED_OUT);
    text.textContent = `As of ${time.slice(0, 10)} ${time.slice(11, 19)} UTC: ${how}.`;
  }

  function is(what) {
    if (what !== trouble && what !== WAITING) said.textContent = what ? `This page: ${what}.` : "";
    trouble = what;
    show();
  }

  function refresh() {
    if (stopped || document.hidden) return;
    if (trouble !== WAITING && Date.now() - since > OLD) {
      since = Date.now();
      is(WAITING);
    }
    window.htmx.trigger(live(), "refresh");
  }

  button.addEventListener("click", () => {
    stopped = !stopped;
    button.setAttribute("aria-pressed", String(stopped));
    show();
    refresh();
  });
  document.addEventListener("visibilitychange", () => {
    if (trouble === WAITING) since = Date.now(); // asked for again: the time that it was hidden does not count
    refresh();
  });
  // A machine that slept, or requests that never end: no event says so.
  window.setInterval(() => {
    if (stopped || document.hidden || (trouble && trouble !== WAITING)) return;
    if (Date.now() - since > (trouble ? LATE : OLD)) is(FAILED);
  }, 5000);
  document.addEventListener("htmx:before:request", (event) => {
    if (stopped || document.hidden) event.preventDefault();
  });
  document.addEventListener("htmx:after:request", (event) => {
    const { response, text: page } = event.detail.ctx;
    const other = response.raw.redirected || !page.includes('id="live"'); // a page of whoever lets people sign in
    if (response.raw.ok && !other) return;
    event.preventDefault();
    is(response.raw.ok ? SIGNED_OUT : FAILED);
  });
  document.addEventListener("htmx:error", () => is(FAILED));
  document.addEventListener("htmx:after:swap", () => {
    since = Date.now();
    is("");
    if (live().dataset.alerts === alerts) return;
    alerts = live().dataset.alerts;
    said.textContent = `Open alerts: ${alerts ? alerts.split(" ").length : 0}.`;
    if (changed) changed.hidden = alerts === loaded;
  });
  about.hidden = false;
  show();
})();
