import assert from 'node:assert/strict';
import fc from 'fast-check';
import { TooManyRequests } from '../../src/errors.js';
import { FailedCredentials } from '../../src/identity/failed-credentials.js';

const MINUTE = 60_000;
const START = Date.parse('2026-11-22T12:00:00Z');

function throttle(limits = {}) {
  const time = { now: START };
  const failed = new FailedCredentials({ now: () => time.now }, limits);
  let made = 0;
  /** Whether a failure is refused, and for how many seconds. */
  const fail = (address = '192.0.2.1', authorization = `Bearer guess-${made++}`): number => {
    try {
      failed.note(address, authorization);
      return 0;
    } catch (error) {
      assert.ok(error instanceof TooManyRequests);
      return error.retryAfter ?? Number.NaN;
    }
  };
  return { time, failed, fail };
}

describe('failed credentials', () => {
  it('are let pass ten times in five minutes from one address, then refused', () => {
    const { fail } = throttle();
    for (let time = 0; time < 10; time++) assert.equal(fail(), 0);
    assert.equal(fail(), 300);
  });

  it('of one address do not touch another', () => {
    const { fail } = throttle();
    for (let time = 0; time < 20; time++) fail('192.0.2.1');
    assert.equal(fail('192.0.2.2'), 0);
  });

  it('of one identity are counted over all addresses', () => {
    const { fail } = throttle();
    for (let host = 1; host <= 10; host++) assert.equal(fail(`192.0.2.${host}`, 'Bearer csk_x'), 0);
    assert.equal(fail('192.0.2.99', 'Bearer csk_x'), 300);
    assert.equal(fail('192.0.2.98', 'bearer   csk_x '), 300);
    assert.equal(fail('192.0.2.98', 'Bearer csk_y'), 0);
  });

  it('are let pass again exactly when Retry-After says', () => {
    const { time, fail } = throttle();
    for (let failure = 0; failure < 10; failure++) {
      fail();
      time.now += 10_500;
    }
    const wait = fail();
    assert.equal(wait, 195);
    time.now += (wait - 1) * 1_000;
    assert.equal(fail(), 1);
    time.now += 1_000;
    assert.equal(fail(), 0);
    assert.ok(fail() > 0);
  });

  it('that were refused are not counted again', () => {
    const { time, fail } = throttle();
    for (let failure = 0; failure < 50; failure++) fail();
    time.now += 5 * MINUTE;
    for (let failure = 0; failure < 10; failure++) assert.equal(fail(), 0);
    assert.equal(fail(), 300);
  });

  it('are not those requests that bring no credential', () => {
    const { failed } = throttle();
    for (let request = 0; request < 50; request++) failed.note('192.0.2.1', undefined);
    assert.equal(failed.size, 0);
  });

  it('of one IPv6 network count as one address', () => {
    const { fail } = throttle();
    for (let host = 1; host <= 10; host++) fail(`2001:db8:0:1::${host.toString(16)}`);
    assert.equal(fail('2001:0DB8::1:ffff:ffff:ffff:ffff'), 300);
    assert.equal(fail('2001:db8:0:2::1'), 0);
  });

  it('count the same for an IPv4 address however it is written', () => {
    const { fail } = throttle();
    for (let failure = 0; failure < 10; failure++) fail('::ffff:192.0.2.7');
    assert.equal(fail('192.0.2.7'), 300);
    assert.equal(fail('::ffff:192.0.2.8'), 0);
  });

  it('are remembered for a bounded number of addresses, the latest of them', () => {
    const { failed, fail } = throttle({ remembered: 5 });
    for (let failure = 0; failure < 10; failure++) fail('192.0.2.1');
    for (let host = 10; host < 14; host++) fail(`192.0.2.${host}`);
    assert.ok(fail('192.0.2.1') > 0);
    fail('192.0.2.14');
    assert.ok(fail('192.0.2.1') > 0, 'a newer address was remembered in the place of this one');
    for (let host = 20; host < 2_000; host++) fail(`10.0.${host >> 8}.${host & 255}`);
    assert.equal(failed.size, 10);
  });

  it('never pass more than ten times in any five minutes, whatever their times', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 2 * MINUTE }), { maxLength: 80 }), (gaps) => {
        const { time, fail } = throttle();
        const passed: number[] = [];
        for (const gap of gaps) {
          time.now += gap;
          if (fail() === 0) passed.push(time.now);
        }
        for (const [index, at] of passed.entries()) {
          const tenth = passed[index + 10];
          assert.ok(tenth === undefined || tenth - at >= 5 * MINUTE);
        }
      }),
    );
  });
});
