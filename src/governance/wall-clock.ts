import { Temporal } from 'temporal-polyfill';
import { closest } from '../platform/closest.js';

/** The day and the time that a clock on the wall shows, as windows count them. */
export interface WallTime {
  /** ISO weekday, 1 (Monday) to 7. */
  readonly weekday: number;
  /** Whole minutes since midnight, 0 to 1439. */
  readonly minute: number;
  /** Milliseconds since midnight of that day on the wall. */
  readonly millisecond: number;
  /** Days since 1970-01-01 on that wall. */
  readonly dayNumber: number;
}

/** The same with the date. */
export interface WallClock extends WallTime {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  /** 1 to 31. */
  readonly day: number;
}

/** A stretch of time in which a zone keeps one distance from UTC. All in milliseconds. */
interface Stretch {
  readonly from: number;
  readonly until: number;
  readonly offset: number;
}

const DAY = 86_400_000;

/** IANA names and fixed offsets; Temporal itself would take whole ISO timestamps too. */
const ZONE = /^(?:[A-Za-z_][A-Za-z0-9_+/-]*|[+-]\d\d:\d\d)$/;

/** Stretches kept of one zone: this year's and a few around, for openings that lie ahead. */
const STRETCHES_KEPT = 8;
const stretches = new Map<string, readonly Stretch[]>();
/** There are fewer zones, but callers may name one in many ways: letters may be large or small. */
const ZONES_KEPT = 1_000;

/** Why `zone` is no time zone, for people; undefined where it is one. */
export function timeZoneFault(zone: string): string | undefined {
  try {
    stretchAt(zone, 0);
    return undefined;
  } catch {
    const near = closest(zone, Intl.supportedValuesOf('timeZone'));
    const hint =
      near === undefined ? 'expected a name such as `Europe/Berlin` or `UTC`' : undefined;
    return `unknown time zone \`${zone}\`${hint === undefined ? `, did you mean \`${near}\`?` : `; ${hint}`}`;
  }
}

/**
 * What the clocks of a zone show at an instant (milliseconds since the epoch).
 *
 * @throws RangeError where there is no such zone
 */
export function wallTimeAt(zone: string, instant: number): WallTime {
  const wall = instant + stretchAt(zone, instant).offset;
  const dayNumber = Math.floor(wall / DAY);
  const millisecond = wall - dayNumber * DAY;
  return {
    weekday: ((((dayNumber + 3) % 7) + 7) % 7) + 1,
    minute: Math.floor(millisecond / 60_000),
    millisecond,
    dayNumber,
  };
}

/** The same with the date. */
export function wallClockAt(zone: string, instant: number): WallClock {
  const time = wallTimeAt(zone, instant);
  const date = new Date(time.dayNumber * DAY);
  return {
    ...time,
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
  };
}

/**
 * The instants at which the clocks of a zone show a time: none in the hour that does not exist, two
 * in the hour that comes twice.
 */
export function instantsOf(zone: string, dayNumber: number, minute: number): number[] {
  const wall = dayNumber * DAY + minute * 60_000;
  const offsets = new Set([
    stretchAt(zone, wall - DAY).offset,
    stretchAt(zone, wall).offset,
    stretchAt(zone, wall + DAY).offset,
  ]);
  return [...offsets]
    .map((offset) => wall - offset)
    .filter((instant) => instant + stretchAt(zone, instant).offset === wall)
    .sort((a, b) => a - b);
}

/** The instants after `from`, up to `until`, at which the clocks of a zone are set. */
export function changesBetween(zone: string, from: number, until: number): number[] {
  const changes: number[] = [];
  for (let end = stretchAt(zone, from).until; end <= until; end = stretchAt(zone, end).until) {
    changes.push(end);
  }
  return changes;
}

/** Asking Temporal costs microseconds and garbage; a zone's offset changes twice a year at most. */
function stretchAt(zone: string, instant: number): Stretch {
  const known = stretches.get(zone) ?? [];
  for (const stretch of known) {
    if (instant >= stretch.from && instant < stretch.until) return stretch;
  }
  if (!ZONE.test(zone)) throw new RangeError(`\`${zone}\` is no time zone`);
  const at = Temporal.Instant.fromEpochMilliseconds(Math.floor(instant)).toZonedDateTimeISO(zone);
  // The transition before an instant excludes the instant itself: ask from just after it.
  const before = at.add({ nanoseconds: 1 }).getTimeZoneTransition('previous');
  const stretch = {
    from: before?.epochMilliseconds ?? Number.NEGATIVE_INFINITY,
    until: at.getTimeZoneTransition('next')?.epochMilliseconds ?? Number.POSITIVE_INFINITY,
    offset: at.offsetNanoseconds / 1_000_000,
  };
  if (known.length === 0 && stretches.size >= ZONES_KEPT) stretches.clear();
  stretches.set(zone, [stretch, ...known].slice(0, STRETCHES_KEPT));
  return stretch;
}
