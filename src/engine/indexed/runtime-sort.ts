import type { Work } from '../../platform/turns.js';

/** Runs are at least half as long as this, and found by insertion where the values have shorter ones. */
const LONGEST_LEAST = 64;
/** Values that one side wins in a row before a merge looks by leaps for the end of that. */
const STREAK = 7;
/** Steps of a merge before its turn may end. */
const STEPS = 1_024;

/** Negative where `a` comes before `b`, 0 where either may. */
export type Compare = (a: number, b: number) => number;

/**
 * Sorts in place, in turns, into the very order that `Array.prototype.sort` of this runtime gives:
 * with the same comparisons, one after the other. For a consistent `compare` any stable sort would do;
 * where it calls one value equal to two that differ, the outcome hangs on the algorithm. That is Tim
 * Peters' merge sort (`Objects/listsort.txt` of CPython) as V8 has it (`third_party/v8/builtins/array-sort.tq`).
 */
export function sortingAsRuntime(values: Int32Array, compare: Compare): Work<void> {
  return new RuntimeSort(values, compare).all();
}

/** A part of an array. */
interface Run {
  readonly start: number;
  readonly length: number;
}

/** What is left of a run that is being merged. */
interface Side {
  readonly values: Int32Array;
  start: number;
  length: number;
}

class RuntimeSort {
  readonly #values: Int32Array;
  readonly #compare: Compare;
  /** Sorted, side by side, and still to be merged. */
  readonly #runs: Run[] = [];
  /** How long a streak makes leaps pay; what earlier merges met tells. */
  #streak = STREAK;
  #steps = 0;

  constructor(values: Int32Array, compare: Compare) {
    this.#values = values;
    this.#compare = compare;
  }

  *all(): Work<void> {
    const { length } = this.#values;
    const least = leastRun(length);
    for (let start = 0; start < length; ) {
      const found = this.#findRun(start);
      const run = Math.max(found, Math.min(least, length - start));
      this.#insert(start, start + found, start + run);
      this.#runs.push({ start, length: run });
      yield* this.#balance();
      start += run;
      yield;
    }
    while (this.#runs.length > 1) {
      const last = this.#runs.length - 2;
      yield* this.#mergeAt(last > 0 && this.#isShorter(last - 1, last + 1) ? last - 1 : last);
    }
  }

  /** The length of the run that starts here; one that falls is turned round. */
  #findRun(start: number): number {
    const values = this.#values;
    if (start + 1 === values.length) return 1;
    const falls = this.#isLess(values[start + 1], values[start]);
    let end = start + 2;
    while (end < values.length && this.#isLess(values[end], values[end - 1]) === falls) end += 1;
    if (falls) values.subarray(start, end).reverse();
    return end - start;
  }

  /** Sorts `start` to `end`, which is sorted before `from`. */
  #insert(start: number, from: number, end: number): void {
    const values = this.#values;
    for (let at = from; at < end; at += 1) {
      const moved = values[at] as number;
      let low = start;
      let high = at;
      while (low < high) {
        const middle = low + ((high - low) >> 1);
        if (this.#isLess(moved, values[middle])) high = middle;
        else low = middle + 1;
      }
      values.copyWithin(low + 1, low, at);
      values[low] = moved;
    }
  }

  /** Merges until each run is longer than the one behind it, and than the two behind it together. */
  *#balance(): Work<void> {
    while (this.#runs.length > 1) {
      const last = this.#runs.length - 2;
      if (!this.#isBalanced(last + 1) || !this.#isBalanced(last)) {
        yield* this.#mergeAt(this.#isShorter(last - 1, last + 1) ? last - 1 : last);
      } else if (this.#isShorter(last + 1, last)) {
        return;
      } else {
        yield* this.#mergeAt(last);
      }
    }
  }

  #isBalanced(at: number): boolean {
    return at < 2 || this.#length(at - 2) > this.#length(at - 1) + this.#length(at);
  }

  #isShorter(a: number, b: number): boolean {
    return this.#length(a) < this.#length(b);
  }

  #length(at: number): number {
    return (this.#runs[at] as Run).length;
  }

  /** Merges a run with the one behind it, but for what stands in its place already. */
  *#mergeAt(at: number): Work<void> {
    const values = this.#values;
    const [a, b] = this.#runs.slice(at, at + 2) as [Run, Run];
    this.#runs.splice(at, 2, { start: a.start, length: a.length + b.length });
    const before = this.#upTo(values[b.start], { values, ...a }, 0);
    const left = { start: a.start + before, length: a.length - before };
    if (left.length === 0) return;
    const length = this.#below(values[b.start - 1], { values, ...b }, b.length - 1);
    if (length > 0) yield* this.#merge(left, { start: b.start, length });
  }

  /** Merges two runs from the end where the shorter one is, which is put aside to make room. */
  *#merge(first: Run, second: Run): Work<void> {
    const values = this.#values;
    const isForward = first.length <= second.length;
    const { start, length } = isForward ? first : second;
    const aside: Side = { values: values.slice(start, start + length), start: 0, length };
    const inPlace: Side = { values, ...(isForward ? second : first) };
    const [left, right] = isForward ? [aside, inPlace] : [inPlace, aside];
    const target: Target = {
      values,
      isForward,
      to: isForward ? first.start : second.start + second.length,
    };
    const isOver = () => inPlace.length === 0 || aside.length <= 1;

    take(inPlace, 1, target);
    while (!isOver()) {
      let wins = 0;
      let winner: Side | undefined;
      while (!isOver() && wins < this.#streak) {
        const next = this.#isLess(nextOf(right, isForward), nextOf(left, isForward))
          ? inPlace
          : aside;
        wins = next === winner ? wins + 1 : 1;
        winner = next;
        take(next, 1, target);
        if (this.#isPause()) yield;
      }
      if (isOver()) break;
      this.#streak += 1;
      let longest = STREAK;
      while (longest >= STREAK && !isOver()) {
        this.#streak = Math.max(1, this.#streak - 1);
        const lefts = this.#winsOfLeft(left, right, isForward);
        take(left, lefts, target);
        if (isOver()) break;
        take(right, 1, target);
        if (isOver()) break;
        const rights = this.#winsOfRight(left, right, isForward);
        take(right, rights, target);
        if (isOver()) break;
        take(left, 1, target);
        longest = Math.max(lefts, rights);
        if (this.#isPause()) yield;
      }
      if (!isOver()) this.#streak += 1;
    }
    // The one that is left aside comes beyond all that is left in place.
    if (aside.length === 1) take(inPlace, inPlace.length, target);
    take(aside, aside.length, target);
  }

  #winsOfLeft(left: Side, right: Side, isForward: boolean): number {
    const rival = nextOf(right, isForward);
    if (isForward) return this.#upTo(rival, left, 0);
    return left.length - this.#upTo(rival, left, left.length - 1);
  }

  #winsOfRight(left: Side, right: Side, isForward: boolean): number {
    const rival = nextOf(left, isForward);
    if (isForward) return this.#below(rival, right, 0);
    return right.length - this.#below(rival, right, right.length - 1);
  }

  /** How many of a side are less than `key`, sought from `hint` on. */
  #below(key: number | undefined, side: Side, hint: number): number {
    return leap(side, hint, (value) => this.#isLess(value, key));
  }

  /** How many of a side are not greater than `key`, sought from `hint` on. */
  #upTo(key: number | undefined, side: Side, hint: number): number {
    return leap(side, hint, (value) => !this.#isLess(key, value));
  }

  #isLess(a: number | undefined, b: number | undefined): boolean {
    return this.#compare(a as number, b as number) < 0;
  }

  #isPause(): boolean {
    this.#steps += 1;
    return this.#steps % STEPS === 0;
  }
}

/** Where a merge puts what it takes: up from `to`, or down from it. */
interface Target {
  readonly values: Int32Array;
  readonly isForward: boolean;
  to: number;
}

/** The value of a side that is merged next. */
function nextOf({ values, start, length }: Side, isForward: boolean): number | undefined {
  return values[isForward ? start : start + length - 1];
}

function take(side: Side, count: number, target: Target): void {
  const { values } = target;
  side.length -= count;
  const from = target.isForward ? side.start : side.start + side.length;
  if (target.isForward) side.start += count;
  else target.to -= count;
  if (count === 1) values[target.to] = side.values[from] as number;
  else if (side.values === values) values.copyWithin(target.to, from, from + count);
  else values.set(side.values.subarray(from, from + count), target.to);
  if (target.isForward) target.to += count;
}

/**
 * How many values at the front of a side pass, if all that pass come first: sought in leaps that
 * double, away from `hint`, and by halves between the last two.
 */
function leap(
  { values, start, length }: Side,
  hint: number,
  passes: (value: number) => boolean,
): number {
  const passesAt = (at: number) => passes(values[start + at] as number);
  const isUp = passesAt(hint);
  const most = isUp ? length - hint : hint + 1;
  let last = 0;
  let offset = 1;
  while (offset < most && passesAt(isUp ? hint + offset : hint - offset) === isUp) {
    last = offset;
    offset = offset * 2 + 1;
  }
  offset = Math.min(offset, most);
  let low = (isUp ? hint + last : hint - offset) + 1;
  let high = isUp ? hint + offset : hint - last;
  while (low < high) {
    const middle = low + ((high - low) >> 1);
    if (passesAt(middle)) low = middle + 1;
    else high = middle;
  }
  return high;
}

/** So long that the number of runs is a power of two, or just below one. */
function leastRun(length: number): number {
  let rest = length;
  let isOdd = 0;
  while (rest >= LONGEST_LEAST) {
    isOdd |= rest & 1;
    rest >>= 1;
  }
  return rest + isOdd;
}
