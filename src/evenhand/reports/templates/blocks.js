// The block map: the figures of the block that is chosen, in the list or by a click in a plot.
const chooseBlock = (function () {
  const chooser = document.querySelector(".chooser");
  if (!chooser) return () => undefined;
  const figures = JSON.parse(document.getElementById(chooser.dataset.figures).textContent);
  const list = chooser.querySelector("select");
  const chosen = document.getElementById("chosen-block");

  function show() {
    const rows = (figures[list.value] || []).flatMap(([name, figure]) =>
      [element("dt", {}, name), element("dd", {}, figure)]);
    chosen.replaceChildren(element("dt", {}, "block"), element("dd", {}, list.value), ...rows);
    chosen.hidden = false;
  }

  chooser.hidden = false;
  list.addEventListener("change", show);
  show();
  return (site) => {
    if (!(site in figures)) return;
    list.value = site;
    show();
    chooser.scrollIntoView({ block: "nearest" });
  };
})();
