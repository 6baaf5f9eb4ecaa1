// The browser of items: all items are in the page, packed; only one page of rows is ever in the document.
// `itemsShown` is kept once the parts that are open when the page is are shown.
const itemsShown = (function () {
  const ROWS = 25;

  function columns(items) {
    const shown = [
      ["item", (i) => items.ids[i]],
      ["about", (i) => items.about[items.of[i]]],
      ["before", (i) => side(items, "before", 0, i)],
      ["after", (i) => side(items, "after", 1, i)],
    ];
    return items.texts ? [...shown, ["text", (i) => items.texts[i]]] : shown;
  }

  function side(items, when, place, i) {
    const share = items.shares ? items.shares[place][i] : null;
    const name = items.sides[items[when][i]];
    return share === null || share === undefined ? name : name + " (" + (share / 1000).toFixed(2) + ")";
  }

  function move(items, i) {
    const [before, after] = items.shares.map((shares) => shares[i]);
    return before === null || after === null ? 0 : Math.abs(after - before);
  }

  // The ways that occur, most frequent first, as [before, after, number].
  function ways(items) {
    const counts = new Map();
    items.ids.forEach((_, i) => {
      const key = items.before[i] + " " + items.after[i];
      if (items.before[i] !== items.after[i]) counts.set(key, (counts.get(key) || 0) + 1);
    });
    return [...counts].sort((one, other) => other[1] - one[1]).map(([key, n]) => [...key.split(" ").map(Number), n]);
  }

  function labelled(text, control) {
    return element("label", {}, text + " ", control);
  }

  function choice(options) {
    return element("select", {}, ...options.map(([value, text]) => element("option", { value }, text)));
  }

  function start(place, items) {
    const search = element("input", { type: "search", autocomplete: "off", size: "18" });
    const kept = items.ids.some((_, i) => items.before[i] === items.after[i]);
    const show = choice([
      ["changed", "changed sides"],
      ...ways(items).map(([a, b, n]) => [a + " " + b, items.sides[a] + " → " + items.sides[b] + " (" + n + ")"]),
      ...(kept ? [["all", "all items"]] : []),
    ]);
    const slices = items.slices.map((slice) =>
      choice([["", "all"], ...slice.values.map((value, i) => [String(i), value || "none"])]));
    const order = choice([
      ...(items.shares ? [["move", "largest move first"]] : []), ["run", "order of the file"], ["about", "by name"]]);
    const begins = items.start ? "Each item’s name begins with " + items.start : "";
    const share = items.share ? " In brackets: " + items.share + "." : "";
    const status = element("p", { class: "note", role: "status" });
    const previous = element("button", { type: "button" }, "Previous");
    const next = element("button", { type: "button" }, "Next");
    const body = element("tbody", {});
    const shown = columns(items);
    const head = element("tr", {}, ...shown.map(([name]) => element("th", { scope: "col", class: "text" }, name)));
    const caption = element("caption", {}, place.dataset.caption);
    const region = { class: "scroll", role: "region", tabindex: "0", "aria-label": place.dataset.caption };
    const table = element("div", region, element("table", {}, caption, element("thead", {}, head), body));
    const words = items.ids.map((id, i) =>
      (items.start + id + " " + items.about[items.of[i]] + (items.texts ? " " + items.texts[i] : "")).toLowerCase());
    let found = [];
    let first = 0;

    function wanted(i) {
      if (show.value === "changed") return items.before[i] !== items.after[i];
      return show.value === "all" || show.value === items.before[i] + " " + items.after[i];
    }

    function choose() {
      const text = search.value.trim().toLowerCase();
      found = [];
      for (let i = 0; i < items.ids.length; i += 1) {
        const inside = slices.every((slice, k) => slice.value === "" || items.slices[k].of[i] === Number(slice.value));
        if (wanted(i) && inside && (!text || words[i].includes(text))) found.push(i);
      }
      if (order.value === "move") {
        const moves = new Map(found.map((i) => [i, move(items, i)]));
        found.sort((a, b) => moves.get(b) - moves.get(a) || a - b);
      }
      if (order.value === "about") found.sort((a, b) => items.of[a] - items.of[b] || a - b);
      first = 0;
      render();
    }

    function render() {
      const rows = found.slice(first, first + ROWS).map((i) => element("tr", {}, ...shown.map(([, text], k) =>
        element(k ? "td" : "th", { class: "text", "data-head": shown[k][0], ...(k ? {} : { scope: "row" }) }, text(i)))));
      body.replaceChildren(...rows);
      status.textContent = found.length
        ? (first + 1) + " to " + Math.min(first + ROWS, found.length) + " of " + found.length + " items"
        : "No such item.";
      previous.disabled = first === 0;
      next.disabled = first + ROWS >= found.length;
    }

    function turn(by) {
      first = Math.max(0, first + by);
      render();
    }

    search.addEventListener("input", choose);
    [show, order, ...slices].forEach((control) => control.addEventListener("change", choose));
    previous.addEventListener("click", () => turn(-ROWS));
    next.addEventListener("click", () => turn(ROWS));
    const controls = [
      labelled("Search", search), labelled("Show", show),
      ...slices.map((slice, k) => labelled(items.slices[k].name, slice)), labelled("Order", order),
    ];
    place.append(
      element("div", { class: "controls", role: "search", "aria-label": "Find " + place.dataset.caption }, ...controls),
      status, table, element("p", { class: "note" }, begins + (begins ? "." : "") + share), element("div", { class: "controls" }, previous, next));
    choose();
    place.hidden = false;
    document.getElementById(place.dataset.instead).hidden = true;
  }

  // Items are unpacked when their part is opened, so that a page with many of them opens at once.
  async function open(place) {
    if (!place.closest("details").open || place.dataset.started) return;
    place.dataset.started = "yes";
    start(place, JSON.parse(await unpacked(place.dataset.items)));
  }

  const places = [...document.querySelectorAll(".browser")];
  places.forEach((place) => {
    place.closest("details").addEventListener("toggle", () => open(place).catch(console.error));
  });
  return Promise.all(places.map((place) => open(place).catch(console.error)));
})();
