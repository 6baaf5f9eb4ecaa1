// Draws a chart with plotly once it comes into view. The SVG that the server drew stays for screen readers,
// and for everybody where this script does not run.
(function () {
  "use strict";
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const coarse = window.matchMedia("(pointer: coarse)"); // a finger scrolls the page: it cannot enlarge as well

  // Figures name their colours var(--x); plotly wants the colour itself.
  function coloured(value, style) {
    if (typeof value === "string") {
      const match = /^var\((--[a-z0-9-]+)\)$/.exec(value);
      return match ? style.getPropertyValue(match[1]).trim() : value;
    }
    if (Array.isArray(value)) return value.map((item) => coloured(item, style));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item, style)]));
    }
    return value;
  }

  function draw(figure) {
    const svg = figure.querySelector("svg");
    let place = figure.querySelector(".plot");
    if (!place) {
      place = document.createElement("div");
      place.className = "plot";
      place.setAttribute("aria-hidden", "true");
      place.style.height = svg.getBoundingClientRect().height + "px";
      svg.after(place);
    }
    const { data, layout } = coloured(JSON.parse(figure.dataset.plot), getComputedStyle(document.documentElement));
    layout.font.family = getComputedStyle(document.body).fontFamily;
    layout.dragmode = coarse.matches ? false : "zoom";
    window.Plotly.react(place, data, layout, { responsive: true, displayModeBar: false }).then(
      () => svg.classList.add("away"),
      (error) => { place.remove(); svg.classList.remove("away"); console.error(error); },
    );
  }

  const figures = document.querySelectorAll("figure[data-plot]");
  if (!window.Plotly || !figures.length) return;
  document.querySelectorAll(".with-script").forEach((note) => { note.hidden = coarse.matches; });
  const coming = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      coming.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "200px" });
  figures.forEach((figure) => coming.observe(figure));
  dark.addEventListener("change", () => {
    figures.forEach((figure) => { if (figure.querySelector(".plot")) draw(figure); });
  });
})();
