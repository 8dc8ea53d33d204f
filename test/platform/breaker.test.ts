import assert from 'node:assert/strict';
import { Breaker } from '../../src/platform/breaker.js';

describe('a breaker', () => {
  let now: number;
  let changes: boolean[];
  let breaker: Breaker;

  beforeEach(() => {
    now = 50;
    changes = [];
    breaker = new Breaker({
      failures: 3,
      pause: 1_000,
      clock: { now: () => now },
      onChange: (isOpen) => changes.push(isOpen),
    });
  });

  const fail = (times: number): void => {
    for (let i = 0; i < times; i += 1) breaker.failed();
  };

  it('admits everybody while the store answers now and then', () => {
    for (let i = 0; i < 10; i += 1) {
      fail(2);
      breaker.succeeded();
    }
    fail(2);
    assert.equal(breaker.admits(), true);
    assert.equal(breaker.isOpen, false);
    assert.deepEqual(changes, []);
  });

  it('admits nobody after a few failures in a row', () => {
    fail(3);
    now += 999;
    assert.equal(breaker.admits(), false);
    assert.equal(breaker.isOpen, true);
  });

  it('admits everybody until the failures in a row have lasted for so long', () => {
    breaker = new Breaker({ failures: 3, spell: 100, clock: { now: () => now } });
    fail(5);
    now += 99;
    fail(1);
    assert.equal(breaker.admits(), true);
    breaker.succeeded();
    now += 1;
    fail(3);
    assert.equal(breaker.admits(), true, 'the spell begins anew');
    now += 100;
    fail(1);
    assert.equal(breaker.admits(), false);
  });

  it('admits one call at once where there is a sign of the store', () => {
    fail(3);
    breaker.endPause();
    assert.deepEqual([breaker.admits(), breaker.admits()], [true, false]);
  });

  it('admits one call when its pause is over', () => {
    fail(3);
    now += 1_000;
    assert.deepEqual([breaker.admits(), breaker.admits()], [true, false]);
    assert.equal(breaker.isOpen, true);
  });

  it('opens again where that call fails', () => {
    fail(3);
    now += 1_000;
    breaker.admits();
    now += 200;
    breaker.failed();
    now += 999;
    assert.equal(breaker.admits(), false);
    now += 1;
    assert.equal(breaker.admits(), true);
  });

  it('admits everybody again where that call is answered', () => {
    fail(3);
    now += 1_000;
    breaker.admits();
    breaker.succeeded();
    fail(2);
    assert.deepEqual([breaker.admits(), breaker.admits()], [true, true]);
  });

  it('tries again after a call that never told how it went', () => {
    fail(3);
    now += 1_000;
    breaker.admits();
    now += 1_000;
    assert.deepEqual([breaker.admits(), breaker.admits()], [true, false]);
  });

  it('tells once of each outage, and of its end', () => {
    fail(7);
    now += 1_000;
    breaker.admits();
    breaker.failed();
    breaker.succeeded();
    breaker.succeeded();
    fail(3);
    assert.deepEqual(changes, [true, false, true]);
  });
});
