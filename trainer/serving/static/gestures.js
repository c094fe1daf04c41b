// Pointer and keys on the chart: looking at an iteration, and choosing a stretch.

const DRAG_FROM_PX = 6;

/**
 * A mouse points by hovering and chooses by dragging; a finger points, and scrolls the page up and down; arrow keys
 * point, Escape shows all.
 *
 * @param point takes the iteration that is looked at, or null
 * @param step takes by how many known points to go on
 * @param choose takes the first and the last iteration of a stretch
 * @param showAll goes back to all
 */
export function listenTo(chart, { point, step, choose, showAll }) {
  const { canvas } = chart;
  let begin = null;
  const place = (event) => event.clientX - canvas.getBoundingClientRect().left;

  const select = (selection) => {
    chart.selection = selection;
    chart.drawPointer();
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button === 0) {
      begin = place(event);
      canvas.setPointerCapture(event.pointerId);
    }
    point(chart.iterationAt(place(event)));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (begin !== null && Math.abs(place(event) - begin) > DRAG_FROM_PX) select([begin, place(event)]);
    point(chart.iterationAt(place(event)));
  });
  canvas.addEventListener("pointerup", (event) => {
    if (chart.selection) {
      const [first, last] = [begin, place(event)].map((x) => chart.iterationAt(x)).sort((a, b) => a - b);
      if (last > first) choose(first, last);
    }
    begin = null;
    select(null);
  });
  canvas.addEventListener("pointercancel", () => {
    begin = null;
    select(null);
  });
  canvas.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse") point(null);
  });
  canvas.addEventListener("dblclick", showAll);
  canvas.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (steps) step(steps);
    else if (event.key === "Escape") showAll();
    else return;
    event.preventDefault();
  });
}
