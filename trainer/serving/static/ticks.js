// Where an axis has its marks, and what is written at them.

const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;
const DAY_S = 24 * HOUR_S;
const SPANS_S = [
  1, 2, 5, 10, 15, 30,
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE_S),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR_S),
  ...[1, 2, 7, 14, 28].map((days) => days * DAY_S),
];

/** Round numbers from `low` to `high`, at most `count` or so. */
export function linearTicks(low, high, count) {
  const rough = (high - low) / Math.max(1, count);
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const ticks = [];
  for (let place = Math.ceil(low / step - 1e-9); place * step <= high * (1 + 1e-12); place += 1) {
    ticks.push(place * step);
  }
  return ticks;
}

/** 1, 2 and 5 in each power of ten, or the powers alone where they are many. */
export function logTicks(low, high) {
  const factors = high / low > 1000 ? [1] : [1, 2, 5];
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power += 1) {
    ticks.push(...factors.map((factor) => factor * 10 ** power));
  }
  return ticks.filter((tick) => tick >= low && tick <= high);
}

/** Full minutes, hours or days of the viewer's own time, at most `count` or so; seconds since 1970. */
export function timeTicks(low, high, count) {
  const rough = (high - low) / Math.max(1, count);
  const step = SPANS_S.find((span) => span >= rough) ?? Math.ceil(rough / DAY_S) * DAY_S;
  const shift = new Date(low * 1000).getTimezoneOffset() * MINUTE_S;
  const ticks = [];
  for (let tick = Math.ceil((low - shift) / step) * step + shift; tick <= high; tick += step) ticks.push(tick);
  return { ticks, step };
}

export function formatTime(time, step) {
  const date = new Date(time * 1000);
  if (step >= DAY_S) return date.toLocaleDateString([], { day: "numeric", month: "short" });
  const seconds = step < MINUTE_S ? { second: "2-digit" } : {};
  return date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", ...seconds });
}

/** A loss or a rate, with as many digits as say something. */
export function formatNumber(value) {
  if (value === null || value === undefined) return "no number";
  if (value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e6)) return value.toExponential(2);
  return Number(value.toPrecision(4)).toLocaleString("en", { maximumFractionDigits: 8 });
}

export const formatCount = (value) => Math.round(value).toLocaleString("en");

export const formatScore = (value) => `${(value * 100).toFixed(1)} %`;
