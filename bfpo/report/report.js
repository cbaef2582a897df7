// Shows a chart's values at the step under the pointer. A figure's data-hover attribute has the points of its curves as
// [step, value, x, y], with x and y in the units of the drawing, which is 420 wide.
for (const figure of document.querySelectorAll("figure[data-hover]")) {
  const { unit, curves } = JSON.parse(figure.dataset.hover);
  const plot = figure.querySelector(".plot"), cursor = figure.querySelector(".cursor");
  const tip = figure.querySelector(".tip");
  const nearest = (points, x) => points.reduce((best, p) => (Math.abs(p[2] - x) < Math.abs(best[2] - x) ? p : best));

  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect(), scale = 420 / box.width;
    const x = (event.clientX - box.left) * scale;
    const hits = curves.map((c) => ({ label: c.label, point: nearest(c.points, x) }));
    const anchor = hits.reduce((a, b) => (Math.abs(b.point[2] - x) < Math.abs(a.point[2] - x) ? b : a)).point;
    cursor.setAttribute("x1", anchor[2]);
    cursor.setAttribute("x2", anchor[2]);
    const lines = [`step ${anchor[0]}${unit ? ", " + unit : ""}`];
    for (const { label, point } of hits) {
      // Evaluations are rarer than steps: show one only near the cursor, with its own step if that differs.
      const where = point[0] === anchor[0] ? "" : ` (step ${point[0]})`;
      if (Math.abs(point[2] - anchor[2]) > 40) continue;
      lines.push(`${label ? label + " " : ""}${String(point[1]).replace("-", "−")}${where}`);
    }
    tip.replaceChildren(...lines.map((line) => Object.assign(document.createElement("div"), { textContent: line })));
    figure.classList.add("on");
    const frame = figure.getBoundingClientRect(), at = box.left - frame.left + anchor[2] / scale;
    const left = at + 12 + tip.offsetWidth > frame.width ? at - 12 - tip.offsetWidth : at + 12;
    tip.style.left = Math.max(left, 2) + "px";
    tip.style.top = box.top - frame.top + 10 + "px";
  });
  for (const end of ["pointerleave", "pointercancel"]) plot.addEventListener(end, () => figure.classList.remove("on"));
}
