import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import type { Window } from '../../src/governance/governance-rule.js';
import { isOpen, nextOpening } from '../../src/governance/time-window.js';

const EVERY_DAY = [1, 2, 3, 4, 5, 6, 7];

function window(from: string, to: string, timeZone: string, days = EVERY_DAY): Window {
  const minutes = (time: string) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3));
  return { days, from: minutes(from), to: minutes(to), timeZone };
}

/** The instants of a time that a person reads off a clock with its offset. */
const at = (text: string): number => Date.parse(text);

describe('time windows', () => {
  it('opens at `from` and is closed at `to`', () => {
    const office = [window('09:00', '17:00', 'Europe/Berlin', [1, 2, 3, 4, 5])];
    assert.equal(isOpen(office, at('2026-03-27T08:59:59.999+01:00')), false);
    assert.equal(isOpen(office, at('2026-03-27T09:00:00+01:00')), true);
    assert.equal(isOpen(office, at('2026-03-27T16:59:59.999+01:00')), true);
    assert.equal(isOpen(office, at('2026-03-27T17:00:00+01:00')), false);
    assert.equal(isOpen(office, at('2026-03-28T12:00:00+01:00')), false, 'a Saturday');
    assert.equal(isOpen(office, at('2026-03-30T09:00:00+02:00')), true, 'a Monday in summer time');
    assert.equal(isOpen(office, at('2026-03-30T08:30:00+02:00')), false);
  });

  it('takes any of several windows, each in its own zone', () => {
    const windows = [
      window('09:00', '10:00', 'Asia/Kolkata'),
      window('09:00', '10:00', 'America/New_York'),
    ];
    assert.equal(isOpen(windows, at('2026-06-01T09:30:00+05:30')), true);
    assert.equal(isOpen(windows, at('2026-06-01T09:30:00-04:00')), true);
    assert.equal(isOpen(windows, at('2026-06-01T09:30:00Z')), false);
  });

  it('runs past midnight, the day being that of `from`', () => {
    const night = [window('22:00', '06:00', 'UTC', [5])];
    assert.equal(isOpen(night, at('2026-03-27T21:59:00Z')), false);
    assert.equal(isOpen(night, at('2026-03-27T22:00:00Z')), true);
    assert.equal(isOpen(night, at('2026-03-28T05:59:00Z')), true);
    assert.equal(isOpen(night, at('2026-03-28T06:00:00Z')), false);
    assert.equal(isOpen(night, at('2026-03-27T05:00:00Z')), false, 'the night before is Thursday');
    assert.equal(isOpen([window('22:00', '06:00', 'UTC', [7])], at('2026-03-30T05:00:00Z')), true);
  });

  it('lasts to the end of the day with `24:00`', () => {
    const day = [window('00:00', '24:00', 'UTC', [5])];
    assert.equal(isOpen(day, at('2026-03-27T00:00:00Z')), true);
    assert.equal(isOpen(day, at('2026-03-27T23:59:59Z')), true);
    assert.equal(isOpen(day, at('2026-03-28T00:00:00Z')), false);
  });

  it('does not open in the hour that does not exist', () => {
    const gap = [window('02:15', '02:45', 'Europe/Berlin')];
    const first = at('2026-03-29T00:00:00+01:00');
    for (let minute = 0; minute < 23 * 60; minute += 1) {
      assert.equal(isOpen(gap, first + minute * 60_000), false);
    }
    const overIt = [window('01:30', '03:30', 'Europe/Berlin')];
    assert.equal(isOpen(overIt, at('2026-03-29T01:59:00+01:00')), true);
    assert.equal(isOpen(overIt, at('2026-03-29T03:00:00+02:00')), true);
    assert.equal(isOpen(overIt, at('2026-03-29T03:30:00+02:00')), false);
    const into = [window('02:30', '04:00', 'Europe/Berlin')];
    assert.equal(isOpen(into, at('2026-03-29T03:00:00+02:00')), true);
    assert.equal(
      nextOpening(into, at('2026-03-29T00:00:00+01:00')),
      at('2026-03-29T03:00:00+02:00'),
    );
  });

  it('opens twice in the hour that comes twice', () => {
    const twice = [window('02:15', '02:45', 'Europe/Berlin')];
    assert.equal(isOpen(twice, at('2026-10-25T02:30:00+02:00')), true);
    assert.equal(isOpen(twice, at('2026-10-25T02:50:00+02:00')), false);
    assert.equal(isOpen(twice, at('2026-10-25T02:30:00+01:00')), true);
    assert.equal(
      nextOpening(twice, at('2026-10-25T02:50:00+02:00')),
      at('2026-10-25T02:15:00+01:00'),
    );
    const backInto = [window('01:00', '02:30', 'Europe/Berlin')];
    assert.equal(
      nextOpening(backInto, at('2026-10-25T02:40:00+02:00')),
      at('2026-10-25T02:00:00+01:00'),
    );
  });

  it('follows zones that set their clocks by half an hour, and skip a day', () => {
    assert.equal(
      isOpen([window('02:00', '02:15', 'Australia/Lord_Howe')], at('2026-04-04T15:05:00Z')),
      false,
    );
    assert.equal(
      isOpen([window('01:30', '01:45', 'Australia/Lord_Howe')], at('2026-04-04T15:05:00Z')),
      true,
    );
    const friday = [window('10:00', '11:00', 'Pacific/Apia', [5])];
    // Samoa went from Thursday 29 to Saturday 31 December 2011.
    assert.equal(
      nextOpening(friday, at('2011-12-29T12:00:00-10:00')),
      at('2012-01-06T10:00:00+14:00'),
    );
  });

  it('knows an hour by itself, whatever was asked before', () => {
    // Nothing else asks about this zone: the first question is the moment at which clocks are set.
    const change = at('2026-03-29T01:00:00Z');
    const summer = [window('04:00', '05:00', 'Europe/Helsinki')];
    assert.equal(isOpen(summer, change), true);
    assert.equal(isOpen(summer, change - 1), false);
    assert.equal(isOpen([window('02:00', '03:00', 'Europe/Helsinki')], change - 1), true);
  });

  it('knows a zone in however many ways its name is written', () => {
    const name = 'europe/berlin';
    for (let written = 0; written < 1_100; written += 1) {
      const letters = Array.from(name, (letter, index) =>
        (written >> index) % 2 === 1 ? letter.toUpperCase() : letter,
      );
      const noon = [window('12:00', '12:01', letters.join(''))];
      assert.equal(isOpen(noon, at('2026-06-01T12:00:00+02:00')), true);
    }
  });

  it('says when it opens next', () => {
    const office = [window('09:00', '17:00', 'Europe/Berlin', [1, 2, 3, 4, 5])];
    assert.equal(
      nextOpening(office, at('2026-03-27T18:00:00+01:00')),
      at('2026-03-30T09:00:00+02:00'),
    );
    const now = at('2026-03-27T12:00:00+01:00');
    assert.equal(nextOpening(office, now), now);
    assert.equal(nextOpening([], now), undefined);
  });

  const zone = fc.constantFrom(
    'Europe/Berlin',
    'America/New_York',
    'America/St_Johns',
    'Australia/Lord_Howe',
    'Africa/Casablanca',
    'Asia/Kathmandu',
    'America/Santiago',
    'UTC',
    '+05:30',
  );
  const time = fc.integer({ min: 0, max: 1_439 });
  const anyWindow = fc.record({
    days: fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
    from: time,
    to: fc.integer({ min: 0, max: 1_440 }),
    timeZone: zone,
  });
  const year = fc.integer({ min: at('2025-06-01T00:00:00Z'), max: at('2027-06-01T00:00:00Z') });

  /** Some instants right where the clocks of a zone are set. */
  function nearChange(timeZone: string, instant: number, minutes: number): number {
    const change = Temporal.Instant.fromEpochMilliseconds(instant)
      .toZonedDateTimeISO(timeZone)
      .getTimeZoneTransition('next');
    return (change?.epochMilliseconds ?? instant) + minutes * 60_000;
  }

  function openByTemporal({ days, from, to, timeZone }: Window, instant: number): boolean {
    const wall = Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(timeZone);
    const minute = wall.hour * 60 + wall.minute;
    if (from < to) return days.includes(wall.dayOfWeek) && from <= minute && minute < to;
    const yesterday = wall.toPlainDate().subtract({ days: 1 }).dayOfWeek;
    return (
      (days.includes(wall.dayOfWeek) && minute >= from) || (days.includes(yesterday) && minute < to)
    );
  }

  it('agrees with the clock that Temporal shows', () => {
    const shift = fc.option(fc.integer({ min: -1_600, max: 1_600 }));
    fc.assert(
      fc.property(anyWindow, year, shift, (written, instant, minutes) => {
        const now = minutes === null ? instant : nearChange(written.timeZone, instant, minutes);
        assert.equal(isOpen([written], now), openByTemporal(written, now));
      }),
      { numRuns: 2_000 },
    );
  });

  it('finds the first opening and no later one', () => {
    const shift = fc.option(fc.integer({ min: -1_600, max: 200 }));
    fc.assert(
      fc.property(anyWindow, year, shift, (written, instant, minutes) => {
        const from = minutes === null ? instant : nearChange(written.timeZone, instant, minutes);
        const now = Math.floor(from / 60_000) * 60_000;
        const next = nextOpening([written], now);
        // Clocks are set on whole minutes, and windows open on them.
        const limit = Math.min(next ?? Number.POSITIVE_INFINITY, now + 2 * 86_400_000);
        for (let at = now; at < limit; at += 60_000) assert.equal(isOpen([written], at), false);
        if (next !== undefined) assert.equal(isOpen([written], next), true);
        else assert.equal(written.from, written.to, 'only an empty window never opens');
      }),
      { numRuns: 150 },
    );
  });

  it('finds the same opening whatever it was asked before', () => {
    const windows = fc.array(anyWindow, { minLength: 1, maxLength: 3 });
    const days = 3 * 86_400_000;
    const step = fc.oneof(fc.integer({ min: -days, max: days }), fc.constant('opening' as const));
    const steps = fc.array(fc.tuple(step, fc.integer({ min: -1, max: 1 })), { maxLength: 8 });
    fc.assert(
      fc.property(windows, year, steps, (written, start, moves) => {
        let now = start;
        for (const [move, shift] of moves) {
          const next = nextOpening(written, now);
          assert.equal(next, nextOpening([...written], now));
          now = shift + (move === 'opening' ? (next ?? now) : now + move);
        }
      }),
      { numRuns: 300 },
    );
  });
});
