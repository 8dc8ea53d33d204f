import { Type } from '@sinclair/typebox';
import type { TimeWindowRule, Window } from './governance-rule.js';
import type { KindOfRule, TellFault } from './kind.js';
import { CLOSED } from './schema-parts.js';
import { changesBetween, instantsOf, timeZoneFault, wallTimeAt } from './wall-clock.js';
import { memberOf } from '../platform/written-member.js';

interface WrittenWindow {
  readonly days: readonly string[];
  readonly from: string;
  readonly to: string;
  readonly timezone: string;
}

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const DAY_PATTERN = `^(${DAYS.join('|')})(-(${DAYS.join('|')}))?$`;
const DAY = 86_400_000;

/** `time-window`: what the rule speaks of is allowed only while one of its windows is open. */
export const timeWindow: KindOfRule<
  TimeWindowRule,
  { readonly windows: readonly WrittenWindow[] }
> = {
  kind: 'time-window',
  members: {
    windows: Type.Array(
      Type.Object(
        {
          days: Type.Array(
            Type.String({
              pattern: DAY_PATTERN,
              patternErrorMessage: 'expected a day such as `mon`, or a range such as `mon-fri`',
            }),
            { minItems: 1, description: 'Days or ranges of days, those on which `from` lies.' },
          ),
          from: Type.String({
            pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$',
            patternErrorMessage: 'expected a time from `00:00` to `23:59`',
            description: 'When the window opens, on the wall clock.',
          }),
          to: Type.String({
            pattern: '^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$',
            patternErrorMessage: 'expected a time from `00:00` to `24:00`',
            description: 'When it closes: exclusive; before `from`, it is a time of the next day.',
          }),
          timezone: Type.String({ description: 'An IANA time zone, such as `Europe/Berlin`.' }),
        },
        CLOSED,
      ),
      { minItems: 1, description: 'Any one of these must be open.' },
    ),
  },
  compile: ({ windows }, tell) => ({
    windows: windows.map((window, index) =>
      compileWindow(window, (pointer, message) => tell(`/windows/${index}${pointer}`, message)),
    ),
  }),
  inspect: (rule, tell) => {
    const windows = memberOf(rule, 'windows');
    if (!Array.isArray(windows)) return;
    windows.forEach((window: unknown, index) =>
      inspectWindow(window, (pointer, message) => tell(`/windows/${index}${pointer}`, message)),
    );
  },
};

function inspectWindow(window: unknown, tell: TellFault): void {
  const zone = memberOf(window, 'timezone');
  if (typeof zone === 'string') checkZone(zone, tell);
  const from = memberOf(window, 'from');
  if (typeof from === 'string') checkSpan(from, memberOf(window, 'to'), tell);
}

function checkZone(zone: string, tell: TellFault): void {
  const fault = timeZoneFault(zone);
  if (fault !== undefined) tell('/timezone', fault);
}

function checkSpan(from: string, to: unknown, tell: TellFault): void {
  if (from !== to) return;
  tell('/to', 'the window is never open; for the whole day write `from: "00:00"`, `to: "24:00"`');
}

function compileWindow(written: WrittenWindow, tell: TellFault): Window {
  const from = minutesOf(written.from);
  const to = minutesOf(written.to);
  checkSpan(written.from, written.to, tell);
  checkZone(written.timezone, tell);
  const days = new Set(written.days.flatMap(daysOf));
  return { days: [...days].sort((a, b) => a - b), from, to, timeZone: written.timezone };
}

function minutesOf(time: string): number {
  const [hours = '', minutes = ''] = time.split(':');
  return Number(hours) * 60 + Number(minutes);
}

/** `fri` → `[5]`; `sat-mon` → `[6, 7, 1]`. */
function daysOf(range: string): number[] {
  const [first = '', last = first] = range.split('-');
  const from = DAYS.indexOf(first);
  const count = ((DAYS.indexOf(last) - from + 7) % 7) + 1;
  return Array.from({ length: count }, (_, step) => ((from + step) % 7) + 1);
}

/**
 * Whether any of the windows is open at an instant (milliseconds since the epoch): whether the clock
 * on the wall of its zone shows a time in it. So a window over the hour that does not exist is not
 * open in it, and a window over the hour that comes twice is open twice.
 */
export function isOpen(windows: readonly Window[], now: number): boolean {
  return windows.some((window) => isWindowOpen(window, now));
}

function isWindowOpen({ days, from, to, timeZone }: Window, now: number): boolean {
  const { minute, weekday } = wallTimeAt(timeZone, now);
  if (from < to) return days.includes(weekday) && minute >= from && minute < to;
  const yesterday = weekday === 1 ? 7 : weekday - 1;
  return (days.includes(weekday) && minute >= from) || (days.includes(yesterday) && minute < to);
}

/** Days looked ahead: a window of one day a week may miss its day twice, when clocks are set. */
const HORIZON = 22;

/** What was found last for windows that were closed: until then it is what is found again. */
const lastFound = new WeakMap<
  readonly Window[],
  { readonly from: number; readonly opening: number }
>();

/**
 * The first instant from `now` on (milliseconds since the epoch) at which any of the windows is open;
 * undefined where none opens within three weeks.
 */
export function nextOpening(windows: readonly Window[], now: number): number | undefined {
  const found = lastFound.get(windows);
  if (found !== undefined && now >= found.from && now <= found.opening) return found.opening;
  if (isOpen(windows, now)) return now;
  const openings = windows.map((window) => openingOf(window, now)).filter((at) => at !== undefined);
  if (openings.length === 0) return undefined;
  const opening = Math.min(...openings);
  lastFound.set(windows, { from: now, opening });
  return opening;
}

function openingOf(window: Window, now: number): number | undefined {
  const { timeZone, days, from } = window;
  const { dayNumber, weekday } = wallTimeAt(timeZone, now);
  // Setting the clocks may open a window as well: it jumps into it, or back into it.
  const changes = changesBetween(timeZone, now, now + HORIZON * DAY);
  const starts: number[] = [];
  for (let ahead = 0; ahead <= HORIZON; ahead += 1) {
    if (!days.includes(((weekday - 1 + ahead) % 7) + 1)) continue;
    starts.push(...instantsOf(timeZone, dayNumber + ahead, from));
  }
  const openings = [...starts, ...changes].filter((at) => at > now && isWindowOpen(window, at));
  return openings.length === 0 ? undefined : Math.min(...openings);
}
