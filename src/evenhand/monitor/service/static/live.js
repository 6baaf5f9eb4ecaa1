// Says how fresh the part of a page is that htmx fetches again, lets people stop that, and never hides that it failed.
(function () {
  "use strict";
  const about = document.getElementById("live-about");
  if (!about || !window.htmx) return;
  const [text, button, said] = [about.children[0], about.children[1], about.children[2]];
  const live = () => document.getElementById("live");
  let fresh = new Date();
  let alerts = live().dataset.alerts;
  let stopped = false;

  function at(time) {
    return time.toISOString().slice(11, 19) + " UTC";
  }

  function show(failed) {
    about.classList.toggle("old", failed);
    text.textContent = failed
      ? `Could not be refreshed since ${at(fresh)}: this may be out of date.`
      : `As of ${at(fresh)}${stopped ? ", and no longer refreshed." : ", refreshed every 30 seconds."}`;
    const spoken = failed ? "This page could not be refreshed." : "";
    if (said.textContent !== spoken) said.textContent = spoken;
  }

  button.addEventListener("click", () => {
    stopped = !stopped;
    button.setAttribute("aria-pressed", String(stopped));
    show(false);
  });
  document.addEventListener("htmx:before:request", (event) => {
    if (stopped || document.hidden) event.preventDefault();
  });
  document.addEventListener("htmx:before:response", (event) => {
    const answer = event.detail.ctx.response.raw;
    if (answer.redirected) { // the session has ended: let the person log in
      event.preventDefault();
      window.location.reload();
    } else if (!answer.ok) {
      event.preventDefault();
      show(true);
    }
  });
  document.addEventListener("htmx:error", () => show(true));
  document.addEventListener("htmx:after:swap", () => {
    fresh = new Date();
    show(false);
    if (live().dataset.alerts !== alerts) {
      alerts = live().dataset.alerts;
      said.textContent = `Open alerts: ${alerts}.`;
    }
  });
  about.hidden = false;
  show(false);
})();
