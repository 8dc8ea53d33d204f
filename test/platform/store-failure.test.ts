import assert from 'node:assert/strict';
import { isAway, isStoreFailure, isUndone } from '../../src/platform/store-failure.js';

/** Replies of a Redis that cannot count just now, as it writes them. */
const REFUSALS = [
  "OOM command not allowed when used memory > 'maxmemory'. script: 862b662f, on @user_script:26.",
  'LOADING Redis is loading the dataset in memory',
  'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.',
  "READONLY You can't write against a read only replica.",
  "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
  'CLUSTERDOWN The cluster is down',
  'TRYAGAIN Multiple keys request during rehashing of slot',
  'MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.',
  'NOREPLICAS Not enough good replicas to write.',
  "NOPERM User cs has no permissions to run the 'evalsha' command",
  "ERR The user executing the script can't run this command or subcommand script: 862b662f, on @user_script:4.",
  'WRONGTYPE Operation against a key holding the wrong kind of value script: 862b662f, on @user_script:11.',
  "ERR Error running script (call to f_862b662f): @user_script:22: @user_script: 22: -READONLY You can't write against a read only replica.",
];

describe('what counts as a failure of a store', () => {
  it('is a Redis that is full, starting, busy, changing its roles or refuses its user', () => {
    assert.deepEqual(
      REFUSALS.filter((reply) => !isStoreFailure(new Error(reply))),
      [],
    );
  });

  it('is no reply that says that we asked something wrong', () => {
    for (const reply of ['ERR wrong number of arguments', 'NOSCRIPT No matching script.']) {
      assert.equal(isStoreFailure(new Error(reply)), false, reply);
    }
  });
});

describe('what a Redis certainly did not do', () => {
  it('is what it refused, and what was not sent', () => {
    const unsent = [
      "Stream isn't writeable and enableOfflineQueue options is false",
      "Cluster isn't ready and enableOfflineQueue options is false",
    ];
    for (const message of [...REFUSALS, ...unsent]) {
      assert.equal(isUndone(new Error(message)), true, message);
      assert.equal(isAway(new Error(message)), true, message);
    }
  });

  it('is nothing that it was sent, and gave no answer to', () => {
    const lost = [
      'Connection is closed.',
      'Reached the max retries per request limit (which is 0).',
    ];
    for (const message of lost) assert.equal(isUndone(new Error(message)), false, message);
  });
});

describe('what counts as a store that is away', () => {
  const withCode = (code: string) => Object.assign(new Error('from Postgres'), { code });

  it('is one that cannot be reached, ends its connections or is full', () => {
    for (const code of ['08006', '57P01', '53300']) assert.ok(isAway(withCode(code)), code);
  });

  it('is none in which others only hold what was asked for', () => {
    for (const code of ['57014', '55P03', '40001', '40P01']) {
      assert.equal(isAway(withCode(code)), false, code);
      assert.equal(isStoreFailure(withCode(code)), true, code);
    }
  });
});
