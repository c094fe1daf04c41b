// The page: the card as the server makes it, and the curve with what is asked of it.

import { Chart } from "./chart.js";
import { Curve, bisect } from "./curve.js";
import { Feed } from "./feed.js";
import { listenTo } from "./gestures.js";
import { formatCount, formatNumber, formatScore } from "./ticks.js";

const REFINE_AFTER_MS = 200;
const STEPS = 1000; // of the range's two handles

const find = (id) => document.getElementById(id);
const curve = new Curve();
const chart = new Chart(find("chart"), curve);

/** What is chosen to be seen: iterations, and null for the end that moves on as the run does. */
const view = { from: null, to: null };
let refining = null;

function show() {
  find("curve").hidden = curve.length === 0;
  if (!curve.length) return;
  find("score").hidden = curve.scores.length === 0;
  chart.from = Math.min(Math.max(view.from ?? curve.first, curve.first), curve.last);
  chart.to = Math.max(Math.min(view.to ?? curve.last, curve.last), chart.from);
  find("all").disabled = view.from === null && view.to === null;
  const span = Math.max(1, curve.last - curve.first);
  find("from").value = Math.round(((chart.from - curve.first) / span) * STEPS);
  find("to").value = Math.round(((chart.to - curve.first) / span) * STEPS);
  describe();
  chart.draw();
  clearTimeout(refining);
  if (!find("all").disabled && curve.lacks(chart.from, chart.to)) refining = setTimeout(refine, REFINE_AFTER_MS);
}

/** Get what lies between the points that are here. */
async function refine() {
  const { from, to } = chart;
  try {
    const answer = await fetch(`points?first=${from}&last=${to}`);
    if (answer.ok) curve.refine(from, to, await answer.json());
    chart.draw();
  } catch {
    // What is here stays; the feed tells that the server does not answer.
  }
}

function choose(from, to) {
  view.from = from <= curve.first ? null : from;
  view.to = to >= curve.last ? null : to;
  show();
}

const showAll = () => choose(curve.first, curve.last);

/** In words: the iteration that is pointed at, or the last one; and for who cannot see it, the whole. */
function describe() {
  const points = curve.between(chart.from, chart.to);
  const wanted = chart.cursor ?? chart.to;
  const after = Math.min(bisect(points.iteration, wanted), points.iteration.length - 1);
  const isNearer = after > 0 && wanted - points.iteration[after - 1] < points.iteration[after] - wanted;
  const place = isNearer ? after - 1 : after;
  const iteration = points.iteration[place];
  if (chart.cursor !== null) chart.cursor = iteration;
  const time = points.time[place];
  const score = curve.scores.findLast((one) => one.iteration <= iteration);
  const seam = curve.seams.findLast((one) => one.iteration <= iteration);
  const said = [
    `iteration ${formatCount(iteration)}`,
    time === null ? "" : new Date(time * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }),
    `avg loss ${formatNumber(points.average[place])}`,
    `loss ${formatNumber(points.loss[place])}`,
    `rate ${formatNumber(points.rate[place])}`,
    seam ? `${seam.kind} at ${formatCount(seam.iteration)}${seam.reason ? `: ${seam.reason}` : ""}` : "",
    score ? `mAP ${formatScore(score.value)} at ${formatCount(score.iteration)}` : "",
  ];
  const parts = said.filter(Boolean).map((text) => Object.assign(document.createElement("span"), { textContent: text }));
  find("readout").replaceChildren(...parts.flatMap((part, place) => (place ? [" · ", part] : [part])));
  const stretch = `iterations ${formatCount(chart.from)} to ${formatCount(chart.to)}`;
  const seams = curve.seams.filter((seam) => seam.iteration >= chart.from && seam.iteration <= chart.to).length;
  const begun = seams ? `, begun again ${seams} time${seams === 1 ? "" : "s"}` : "";
  find("chart").setAttribute("aria-label", `Loss, mAP and learning rate of ${stretch}${begun}`);
}

function point(iteration) {
  chart.cursor = iteration;
  describe();
  chart.drawPointer();
}

function step(count) {
  const { iteration } = curve.between(chart.from, chart.to);
  const place = bisect(iteration, chart.cursor ?? chart.to) + count;
  point(iteration[Math.min(Math.max(place, 0), iteration.length - 1)]);
}

listenTo(chart, { point, step, choose, showAll });

for (const box of document.querySelectorAll(".series input")) {
  chart.shown[box.name] = box.checked;
  box.addEventListener("change", () => {
    chart.shown[box.name] = box.checked;
    chart.draw();
  });
}

chart.axis = find("axis").value;
find("axis").addEventListener("change", () => {
  chart.axis = find("axis").value;
  chart.draw();
});

for (const handle of [find("from"), find("to")]) {
  handle.addEventListener("input", () => {
    const ends = [find("from"), find("to")].map((one) => Number(one.value)).sort((a, b) => a - b);
    const [from, to] = ends.map((end) => Math.round(curve.first + (end / STEPS) * (curve.last - curve.first)));
    choose(from, Math.max(to, from + 1));
  });
}

find("all").addEventListener("click", showAll);

const feed = new Feed(
  () => curve.mark,
  (news) => {
    if (news.card !== undefined) {
      find("card").innerHTML = news.card;
      document.title = news.title;
    }
    if (news.curve) {
      curve.add(news.curve);
      show();
    }
    if (curve.isLarge) {
      curve.mark = "";
      feed.listen();
    }
  },
  (answers) => {
    find("link").hidden = answers;
    find("link").textContent = answers ? "" : "The page's server does not answer: what is shown may be old.";
  },
);
