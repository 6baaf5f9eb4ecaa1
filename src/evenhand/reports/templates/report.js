"use strict";
(function () {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

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

  function draw(element) {
    const text = document.getElementById(element.dataset.figure).textContent;
    const figure = coloured(JSON.parse(text), getComputedStyle(root));
    figure.layout.font.family = getComputedStyle(document.body).fontFamily;
    element.style.height = figure.layout.height + "px";
    window.Plotly.react(element, figure.data, figure.layout, { responsive: true, displayModeBar: false });
  }

  function drawAll() {
    document.querySelectorAll(".plot").forEach(draw);
  }

  function choose(button) {
    const group = button.parentElement;
    group.querySelectorAll("button").forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
    const plot = document.getElementById(group.dataset.plot);
    plot.dataset.figure = button.dataset.figure;
    draw(plot);
  }

  document.querySelectorAll(".choice button").forEach((button) => {
    button.addEventListener("click", () => choose(button));
  });
  dark.addEventListener("change", drawAll);
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details.card").forEach((card) => { card.open = true; });
    root.classList.add("printing");
    drawAll();
  });
  window.addEventListener("afterprint", () => { root.classList.remove("printing"); drawAll(); });
  drawAll();
})();
