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
    if (!window.Plotly) return;
    const text = document.getElementById(element.dataset.figure).textContent;
    const figure = coloured(JSON.parse(text), getComputedStyle(root));
    figure.layout.font.family = getComputedStyle(document.body).fontFamily;
    element.style.height = figure.layout.height + "px";
    window.Plotly.react(element, figure.data, figure.layout, { responsive: true, displayModeBar: false });
    if (element.id.startsWith("plot-blocks-") && !element.dataset.clickable) {
      element.dataset.clickable = "yes";
      element.on("plotly_click", (event) => chooseBlock(event.points[0].customdata));
    }
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

  // The plotting library is packed: unpack it, then run it as a script of the page.
  async function run(id) {
    const script = document.createElement("script");
    script.textContent = await unpacked(id);
    document.head.append(script);
    if (!window.Plotly) throw new Error("the plotting library did not start");
  }

  // Without the library the page stays as it was written: every table open, and a note that says why.
  function ready() {
    document.querySelectorAll("details[data-beside]").forEach((part) => { part.open = false; });
    document.querySelectorAll(".choice").forEach((part) => { part.hidden = false; });
    return drawInTurn();
  }

  // One plot after another, with room between them for what the reader does.
  async function drawInTurn() {
    for (const plot of document.querySelectorAll(".plot")) {
      draw(plot);
      await new Promise((done) => setTimeout(done));
    }
  }

  const note = document.getElementById("unplotted");
  note.hidden = true;
  const painted = () => new Promise((done) => setTimeout(done, 30));
  itemsShown.then(painted).then(() => run("plotly")).then(ready).catch((error) => { note.hidden = false; console.error(error); });
})();
