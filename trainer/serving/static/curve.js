// What is known here of a run's curve: columns of one length, sorted by iteration, each iteration once.

const COLUMNS = ["iteration", "loss", "average", "rate", "time"];

/** More than this were sent one by one since all of it was, thinned: time to ask for all anew. */
const ENOUGH = 12_000;

const empty = () => Object.fromEntries(COLUMNS.map((name) => [name, []]));

/** The place of the first value that is not below `value`, in a sorted array. */
export function bisect(values, value) {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

export class Curve {
  constructor() {
    this.mark = "";
    this.points = empty();
    this.seams = [];
    this.scores = [];
    this.detail = null;
    this.isThinned = false;
  }

  get length() {
    return this.points.iteration.length;
  }

  get first() {
    return this.points.iteration[0] ?? 0;
  }

  get last() {
    return this.points.iteration[this.length - 1] ?? 0;
  }

  get isLarge() {
    return this.length > ENOUGH;
  }

  /** Take in what the server has sent: all there is, or what has come since the mark. */
  add(growth) {
    if (growth.whole) {
      this.points = growth.points;
      this.isThinned = growth.thinned;
      this.detail = null;
    } else {
      const keep = growth.below === null ? this.length : bisect(this.points.iteration, growth.below);
      for (const name of COLUMNS) {
        this.points[name].length = keep;
        for (const value of growth.points[name]) this.points[name].push(value);
      }
      if (this.detail && growth.below !== null && growth.below <= this.detail.last) this.detail = null;
    }
    this.mark = growth.mark;
    this.seams = growth.seams.map(([kind, iteration, time, reason]) => ({ kind, iteration, time, reason }));
    this.scores = growth.scores.map(([iteration, value, time]) => ({ iteration, value, time }));
  }

  /** Whether the server has more of these iterations than is here. */
  lacks(first, last) {
    const has = this.detail && this.detail.first <= first && last <= this.detail.last;
    return this.isThinned && !(has && (!this.detail.isThinned || this.detail.asked === `${first}-${last}`));
  }

  /** Take in a stretch in more detail. */
  refine(first, last, { points, thinned }) {
    this.detail = { first, last, points, isThinned: thinned, asked: `${first}-${last}` };
  }

  /** Columns of the iterations from `first` to `last`, with the next one on either side, for lines to go on. */
  between(first, last) {
    const found = this.detail && this.detail.first <= first && last <= this.detail.last
      ? this.detail.points
      : this.points;
    const begin = Math.max(0, bisect(found.iteration, first) - 1);
    const end = bisect(found.iteration, last + 1) + 1;
    return Object.fromEntries(COLUMNS.map((name) => [name, found[name].slice(begin, end)]));
  }

  /** The time at which an iteration was done, in s since 1970, or the nearest that is known. */
  timeOf(iteration) {
    const place = Math.min(bisect(this.points.iteration, iteration), this.length - 1);
    return this.points.time[place] ?? this.points.time.find((time) => time !== null) ?? 0;
  }

  /** The first iteration that was done at `time` or later. */
  iterationAt(time) {
    return this.points.iteration[Math.min(bisect(this.points.time, time), this.length - 1)] ?? 0;
  }
}
