// The curve on a canvas: loss above, with mAP on a scale of its own to the right, and the learning rate below.

import { formatCount, formatNumber, formatScore, formatTime, linearTicks, logTicks, timeTicks } from "./ticks.js";

const LEFT = 52;
const RIGHT = 8;
const SCORE_RIGHT = 44; // where there is an axis for mAP
const TOP = 10;
const BOTTOM = 24;
const GAP = 18;
const RATE_HEIGHT = 56;
const FONT = "12px system-ui, sans-serif";
const SPIKES = 0.005; // so much of the losses may lie beyond the scale, or one of them would flatten all others
const LOG_FROM = 10;
const BEAD_PX = 2.5;
const COUNT_PX = 60; // from one iteration that is written below the chart to the next
const TIME_PX = 80;

const isNumber = (value) => value !== null && value !== undefined;

export class Chart {
  constructor(canvas, curve) {
    this.canvas = canvas;
    this.curve = curve;
    this.shown = { average: true, loss: true, score: true, rate: true };
    this.axis = "iteration";
    this.from = 0;
    this.to = 0;
    this.cursor = null;
    this.selection = null;
    this.isWaiting = false;
    this.isStale = true;
    this.curves = document.createElement("canvas"); // as they were drawn last, without what points at them
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** Draw all at the next frame. */
  draw() {
    this.isStale = true;
    this.drawPointer();
  }

  /** At the next frame draw what points at the curves, which are the same: it moves with each move of a hand. */
  drawPointer() {
    if (this.isWaiting) return;
    this.isWaiting = true;
    requestAnimationFrame(() => {
      this.isWaiting = false;
      this.paint();
    });
  }

  /** The iteration at a distance from the canvas's left edge. */
  iterationAt(x) {
    const share = Math.min(1, Math.max(0, (x - LEFT) / (this.right - LEFT)));
    const value = this.low + share * (this.high - this.low);
    return this.axis === "time" ? this.curve.iterationAt(value) : Math.round(value);
  }

  get right() {
    const hasScores = this.shown.score && this.curve.scores.length > 0;
    return this.canvas.clientWidth - (hasScores ? SCORE_RIGHT : RIGHT);
  }

  /** Where an iteration that was done at `time` lies. */
  place(iteration, time) {
    const value = this.axis === "time" ? (time ?? this.curve.timeOf(iteration)) : iteration;
    return LEFT + ((value - this.low) / (this.high - this.low)) * (this.right - LEFT);
  }

  paint() {
    const { canvas, curves } = this;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (!width || !this.curve.length) return;
    const dots = window.devicePixelRatio || 1;
    if (this.isStale) {
      for (const one of [canvas, curves]) {
        one.width = Math.round(width * dots);
        one.height = Math.round(height * dots);
      }
      this.isStale = false;
      const style = getComputedStyle(canvas);
      this.colour = (name) => style.getPropertyValue(`--${name}`).trim();
      this.begin(curves, dots);
      this.paintCurves(height);
    }
    this.begin(canvas, dots);
    this.ink.clearRect(0, 0, width, height);
    this.ink.drawImage(curves, 0, 0, width, height);
    this.paintPointer({ top: TOP, bottom: height - BOTTOM });
  }

  begin(canvas, dots) {
    this.ink = canvas.getContext("2d");
    this.ink.setTransform(dots, 0, 0, dots, 0, 0);
    this.ink.font = FONT;
  }

  paintCurves(height) {
    const { curve } = this;
    const isTime = this.axis === "time";
    this.low = isTime ? curve.timeOf(this.from) : this.from;
    this.high = isTime ? curve.timeOf(this.to) : this.to;
    if (this.high <= this.low) [this.low, this.high] = [this.low - 1, this.high + 1];
    const points = curve.between(this.from, this.to);
    this.breaks = curve.seams.map((seam) => seam.iteration);
    const bottom = height - BOTTOM;
    const rate = { top: bottom - RATE_HEIGHT, bottom };
    const main = { top: TOP, bottom: this.shown.rate ? rate.top - GAP : bottom };

    this.paintAxis(main, bottom);
    this.paintLosses(points, main);
    if (this.shown.rate) this.paintRate(points, rate);
    this.paintSeams(main, bottom);
    if (this.shown.score) this.paintScores(main);
  }

  /** Draw only what lies in a panel. */
  within({ top, bottom }, paint, beyond = 1) {
    this.ink.save();
    this.ink.beginPath();
    this.ink.rect(LEFT - beyond, top - 3, this.right - LEFT + 2 * beyond, bottom - top + 6);
    this.ink.clip();
    paint();
    this.ink.restore();
  }

  /** A thin upright or level line, on whole dots: between them it would be broad and pale. */
  stroke(x0, y0, x1, y1, colour, dash = []) {
    const { ink } = this;
    const [left, top, right, bottom] = [x0, y0, x1, y1].map((value) => Math.floor(value) + 0.5);
    ink.beginPath();
    ink.setLineDash(dash);
    ink.moveTo(left, top);
    ink.lineTo(right, bottom);
    ink.strokeStyle = this.colour(colour);
    ink.lineWidth = 1;
    ink.stroke();
    ink.setLineDash([]);
  }

  write(text, x, y, align = "right", colour = "muted") {
    const { ink } = this;
    ink.textAlign = align;
    ink.textBaseline = "middle";
    ink.fillStyle = this.colour(colour);
    ink.fillText(text, x, y);
  }

  paintAxis(main, bottom) {
    const width = this.right - LEFT;
    let ticks;
    let format;
    if (this.axis === "time") {
      const times = timeTicks(this.low, this.high, width / TIME_PX);
      ticks = times.ticks;
      format = (tick) => formatTime(tick, times.step);
    } else {
      ticks = linearTicks(this.low, this.high, width / COUNT_PX).filter(Number.isInteger);
      format = formatCount;
    }
    for (const tick of ticks) {
      const x = LEFT + ((tick - this.low) / (this.high - this.low)) * width;
      this.stroke(x, main.top, x, bottom, "grid");
      this.write(format(tick), x, bottom + 13, "center");
    }
  }

  paintLosses(points, main) {
    const average = this.shown.average ? points.average.filter(isNumber) : [];
    const loss = this.shown.loss ? points.loss.filter(isNumber).sort((a, b) => a - b) : [];
    const values = [...average, ...loss.slice(0, Math.ceil(loss.length * (1 - SPIKES)))];
    if (!values.length) {
      if (points.loss.length && (this.shown.average || this.shown.loss)) {
        this.write("the loss is no number", (LEFT + this.right) / 2, (main.top + main.bottom) / 2, "center", "trouble");
      }
      return;
    }
    let low = values.reduce((a, b) => Math.min(a, b));
    let high = values.reduce((a, b) => Math.max(a, b));
    const isLog = low > 0 && high / low > LOG_FROM;
    if (high === low) [low, high] = [low - Math.abs(low) / 2 - 1e-9, high + Math.abs(high) / 2 + 1e-9];
    const scale = isLog ? Math.log : (value) => value;
    const span = scale(high) - scale(low);
    const y = (value) => main.bottom - ((scale(value) - scale(low)) / span) * (main.bottom - main.top);
    let lowest = Infinity;
    for (const tick of isLog ? logTicks(low, high) : linearTicks(low, high, 5)) {
      if (lowest - y(tick) < 14) continue;
      lowest = y(tick);
      this.stroke(LEFT, y(tick), this.right, y(tick), "grid");
      this.write(formatNumber(tick), LEFT - 6, y(tick));
    }
    this.within(main, () => {
      if (this.shown.loss) this.line(points, "loss", y, 1);
      if (this.shown.average) this.line(points, "average", y, 2);
      this.paintNoNumbers(points, main);
    });
  }

  paintNoNumbers(points, main) {
    points.average.forEach((average, place) => {
      if (isNumber(average) && isNumber(points.loss[place])) return;
      const x = this.place(points.iteration[place], points.time[place]);
      this.stroke(x, main.top, x, main.top + 8, "trouble");
    });
  }

  paintRate(points, panel) {
    const high = points.rate.filter(isNumber).reduce((a, b) => Math.max(a, b), 0) || 1;
    const y = (value) => panel.bottom - (value / high) * (panel.bottom - panel.top);
    for (const value of [0, high]) {
      this.stroke(LEFT, y(value), this.right, y(value), "grid");
      this.write(formatNumber(value), LEFT - 6, y(value));
    }
    this.within(panel, () => this.line(points, "rate", y, 2));
  }

  /** A line that is broken where training was begun again, and where a value is no number. */
  line(points, name, y, width) {
    const { ink } = this;
    const values = points[name];
    let seam = 0;
    let isDown = false;
    ink.beginPath();
    for (let place = 0; place < values.length; place += 1) {
      const iteration = points.iteration[place];
      while (seam < this.breaks.length && this.breaks[seam] <= iteration) {
        if (place && this.breaks[seam] > points.iteration[place - 1]) isDown = false;
        seam += 1;
      }
      if (!isNumber(values[place])) {
        isDown = false;
        continue;
      }
      const x = this.place(iteration, points.time[place]);
      if (isDown) ink.lineTo(x, y(values[place]));
      else ink.moveTo(x, y(values[place]));
      // One that stands alone is a dot.
      if (!isDown) ink.lineTo(x + 0.5, y(values[place]));
      isDown = true;
    }
    ink.lineJoin = "round";
    ink.strokeStyle = this.colour(name);
    ink.lineWidth = width;
    ink.stroke();
  }

  paintSeams(main, bottom) {
    this.within({ top: main.top, bottom }, () => {
      for (const seam of this.curve.seams) {
        const x = this.place(seam.iteration, seam.time);
        this.stroke(x, main.top, x, bottom, "seam", seam.kind === "restarted" ? [2, 4] : []);
      }
    });
  }

  paintScores(main) {
    const { scores } = this.curve;
    if (!scores.length) return;
    const { ink } = this;
    const y = (value) => main.bottom - value * (main.bottom - main.top);
    for (const value of [0, 0.5, 1]) {
      this.write(`${value * 100} %`, this.right + 6, y(value), "left", "score");
    }
    const best = scores.reduce((a, b) => (b.value > a.value ? b : a));
    this.within(main, () => {
      ink.strokeStyle = ink.fillStyle = this.colour("score");
      ink.lineWidth = 1.5;
      ink.beginPath();
      scores.forEach(({ iteration, value, time }) => ink.lineTo(this.place(iteration, time), y(value)));
      ink.stroke();
    });
    const mark = (score, radius, how) => {
      ink.beginPath();
      ink.arc(this.place(score.iteration, score.time), y(score.value), radius, 0, 2 * Math.PI);
      ink[how]();
    };
    this.within(main, () => {
      ink.strokeStyle = ink.fillStyle = this.colour("score");
      for (const score of scores) mark(score, BEAD_PX, "fill");
      mark(best, 2 * BEAD_PX, "stroke");
    }, 3 * BEAD_PX);
    if (best.iteration >= this.from && best.iteration <= this.to) {
      const x = this.place(best.iteration, best.time);
      const isLeft = x > (LEFT + this.right) / 2;
      const above = y(best.value) > main.top + 20 ? -12 : 12;
      const [begin, align] = isLeft ? [Math.min(this.right, x + 4), "right"] : [Math.max(LEFT, x - 4), "left"];
      this.write(`best ${formatScore(best.value)}`, begin, y(best.value) + above, align, "score");
    }
  }

  paintPointer({ top, bottom }) {
    if (this.selection) {
      const [begin, end] = this.selection.map((x) => Math.min(this.right, Math.max(LEFT, x)));
      this.ink.fillStyle = this.colour("average");
      this.ink.globalAlpha = 0.18;
      this.ink.fillRect(Math.min(begin, end), top, Math.abs(end - begin), bottom - top);
      this.ink.globalAlpha = 1;
    }
    if (this.cursor !== null) {
      const x = this.place(this.cursor);
      if (x >= LEFT && x <= this.right) this.stroke(x, top, x, bottom, "ink");
    }
  }
}
