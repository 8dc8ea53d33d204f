import assert from 'node:assert/strict';
import fc from 'fast-check';
import { buildEngine } from '../../src/engine/create-engine.js';
import { CountersignError } from '../../src/errors.js';
import { credentialHash } from '../../src/identity/authenticate.js';
import { installRootKey } from '../../src/identity/install-root-key.js';
import { createCurrentPolicy, type CurrentPolicy } from '../../src/policy/current-policy.js';
import { printRule } from '../../src/policy/rules-file.js';
import type { RuleLine } from '../../src/vocabulary.js';
import { buildInPlaceEngine, type OpenEngine } from './in-place-engine.js';
import {
  ask,
  bundleOf,
  type PolicyFixture,
  policyFixture,
  PRIORITY_MODEL,
  silentLog,
  TENANT_MODEL,
  WAITING_LOCKS,
} from './support.js';

const SUBJECTS = ['alice', 'bob', 'editor', 'viewer'];

/** Few enough lines that bundle, admin and history meet in them; order and denials matter. */
const LINES: readonly RuleLine[] = [
  ['p', 'editor', 'acme', 'document:*', 'write', 'allow'],
  ['p', 'editor', 'acme', 'document:1', 'write', 'deny'],
  ['p', 'viewer', 'acme', 'document:*', 'write', 'deny'],
  ['p', 'alice', 'acme', 'document:1', 'write', 'allow'],
  ['p', 'bob', 'acme', 'document:2', 'write', 'deny'],
  ['g', 'alice', 'editor', 'acme'],
  ['g', 'alice', 'viewer', 'acme'],
  ['g', 'bob', 'editor', 'acme'],
  ['g', 'viewer', 'editor', 'acme'],
];

const CHECKS = SUBJECTS.flatMap((subject) =>
  ['document:1', 'document:2'].map((resource) => ask('acme', subject, 'write', resource)),
);

type Step =
  | { readonly do: 'apply'; readonly lines: readonly RuleLine[]; readonly model: string }
  | { readonly do: 'activate'; readonly bundle: number }
  | {
      readonly do: 'change';
      readonly add: readonly RuleLine[];
      readonly remove: readonly RuleLine[];
    }
  | { readonly do: 'follow' };

const someLines = fc.shuffledSubarray([...LINES]);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('apply' as const),
    lines: someLines,
    model: fc.constantFrom(TENANT_MODEL, PRIORITY_MODEL),
  }),
  fc.record({ do: fc.constant('activate' as const), bundle: fc.integer({ min: 1, max: 4 }) }),
  {
    weight: 4,
    arbitrary: fc
      .tuple(someLines, fc.nat({ max: 3 }), fc.nat({ max: 3 }))
      .map(([lines, added, removed]) => ({
        do: 'change' as const,
        add: lines.slice(0, added),
        remove: lines.slice(added, added + removed),
      })),
  },
  { weight: 2, arbitrary: fc.constant({ do: 'follow' as const }) },
);

describe('following changes', () => {
  let fixture: PolicyFixture;
  before(async () => void (fixture = await policyFixture()));
  beforeEach(() => fixture.reset());
  after(() => fixture.close());

  const holder = (begin: typeof buildEngine) =>
    createCurrentPolicy({
      database: fixture.db.database,
      log: silentLog,
      poll: 3_600_000,
      buildEngine: begin,
    });

  const take = async (taken: Step): Promise<void> => {
    const { service } = fixture;
    if (taken.do === 'apply') {
      const files = bundleOf(taken.lines.map(printRule).join('\n'), {
        'models/test.conf': taken.model,
      });
      await service.apply({ files, actor: 'root' });
    } else if (taken.do === 'activate') {
      await service.activate({ bundle: taken.bundle, actor: 'root' });
    } else if (taken.do === 'change') {
      await service.changeRules({ add: taken.add, remove: taken.remove, actor: 'root' });
    }
  };

  const answersOf = ({ snapshot }: CurrentPolicy) =>
    CHECKS.map((check) => [snapshot.engine.decide(check), snapshot.engine.rolesOf(check)]);

  /** What a server that starts now holds. */
  const loaded = async (begin: typeof buildEngine): Promise<CurrentPolicy> => {
    const fresh = holder(begin);
    await fresh.start();
    await fresh.stop();
    return fresh;
  };

  it('comes to what a fresh load gives, whatever bundles and admins do in whatever order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
        await fixture.reset();
        const follower = holder(buildInPlaceEngine);
        const usual = holder(buildEngine);
        for (const taken of [...steps, { do: 'follow' as const }]) {
          if (taken.do !== 'follow') {
            // What is refused, such as removing a line of the bundle, changes nothing.
            await take(taken).catch((error: unknown) => {
              if (!(error instanceof CountersignError)) throw error;
            });
            continue;
          }
          await Promise.all([follower.catchUp(), usual.catchUp()]);
          const fresh = await loaded(buildInPlaceEngine);
          assert.equal(follower.snapshot.revision, fresh.snapshot.revision);
          assert.deepEqual(linesOf(follower), linesOf(fresh));
          assert.deepEqual(answersOf(follower), answersOf(fresh));
          assert.equal(usual.snapshot.engine.size, fresh.snapshot.engine.size);
          assert.deepEqual(answersOf(usual), answersOf(fresh));
        }
        await Promise.all([follower.stop(), usual.stop()]);
      }),
      { numRuns: 12 },
    );
  });

  it('answers by the revision that it claims, at every moment', async () => {
    const bob: RuleLine = ['g', 'bob', 'editor', 'acme'];
    const files = bundleOf('p, editor, acme, document:*, write, allow\n');
    await fixture.service.apply({ files, actor: 'root' });
    const follower = holder(buildEngine);
    await follower.start();
    let isOver = false;
    const seen = new Set<number>();
    const asking = until(async () => {
      const { revision, engine } = follower.snapshot;
      const { effect } = engine.decide(ask('acme', 'bob', 'write', 'document:1'));
      assert.equal(effect, revision % 2 === 0 ? 'allow' : 'deny', `revision ${revision}`);
      seen.add(revision);
      return isOver;
    });
    for (let round = 0; round < 20; round += 1) {
      const [add, remove] = round % 2 === 0 ? [[bob], []] : [[], [bob]];
      await fixture.service.changeRules({ add, remove, actor: 'root' });
      if (round % 3 > 0) follower.catchUp().catch(() => undefined);
    }
    await follower.catchUp();
    isOver = true;
    await asking;
    assert.equal(follower.snapshot.revision, 21);
    assert.ok(seen.size > 3, `${seen.size} revisions were seen`);
    await follower.stop();
  });

  it('keeps the rank of a line that bundle and admin both hold', async () => {
    const [first, second, third] = LINES as [RuleLine, RuleLine, RuleLine];
    const files = bundleOf([first, second].map(printRule).join('\n'));
    await fixture.service.apply({ files, actor: 'root' });
    const follower = holder(buildInPlaceEngine);
    await follower.start();
    const change = (add: RuleLine[], remove: RuleLine[] = []) =>
      fixture.service.changeRules({ add, remove, actor: 'root' });
    await change([third, first]);
    await change([third]);
    await follower.catchUp();
    assert.deepEqual(linesOf(follower), [first, second, third]);
    await change([], [third]);
    await change([third]);
    await follower.catchUp();
    assert.deepEqual(linesOf(follower), [first, second, third]);
    await follower.stop();
  });

  it('takes up what came before a bundle before that is read, and what came after it right after', async () => {
    const [alice, bob, carol]: readonly RuleLine[] = [
      ['g', 'alice', 'editor', 'acme'],
      ['g', 'bob', 'editor', 'acme'],
      ['g', 'carol', 'editor', 'acme'],
    ];
    assert.ok(alice && bob && carol, 'there are three lines');
    const { service, db } = fixture;
    const admin = (add: RuleLine[], remove: RuleLine[]) =>
      service.changeRules({ add, remove, actor: 'root' });
    const p = 'p, editor, acme, document:*, write, allow';
    await service.apply({ files: bundleOf(p), actor: 'root' });
    await admin([alice, bob], []);
    const follower = holder(buildInPlaceEngine);
    await follower.start();

    await admin([], [alice]);
    await service.apply({ files: bundleOf(`${p}\n${carol.join(', ')}`), actor: 'root' });
    const blocker = await db.pool.connect();
    await blocker.query('BEGIN; LOCK TABLE bundle_files IN ACCESS EXCLUSIVE MODE');
    const caughtUp = follower.catchUp();
    await until(async () => {
      const { rows } = await db.pool.query(WAITING_LOCKS);
      return rows.length > 0;
    });
    assert.equal(follower.snapshot.revision, 3);
    assert.deepEqual(linesOf(follower), [p.split(', '), bob]);
    assert.equal(await follower.waitFor(4, 1), undefined);

    await blocker.query('COMMIT');
    blocker.release();
    await admin([], [bob]);
    await service.apply({ files: bundleOf(p), actor: 'root' });
    await caughtUp;
    await follower.catchUp();
    assert.equal(follower.snapshot.revision, 6);
    assert.deepEqual(linesOf(follower), [p.split(', ')]);
    await follower.stop();
  });

  it('keeps keys current, and loses no change, while rules are read for a long time', async () => {
    const files = (name: string) => bundleOf(`g, ${name}, editor, acme\n`);
    const { service, db } = fixture;
    const isKnown = (key: string) => follower.snapshot.keys.find(credentialHash(key)) !== undefined;
    await service.apply({ files: files('alice'), actor: 'root' });
    const follower = holder(buildInPlaceEngine);
    await follower.start();
    await service.apply({ files: files('carol'), actor: 'root' });
    await service.changeRules({ add: [['g', 'dan', 'x', 'acme']], remove: [], actor: 'root' });
    await installRootKey(db.database, 'the first root key');

    const blocker = await db.pool.connect();
    await blocker.query('BEGIN; LOCK TABLE bundle_files IN ACCESS EXCLUSIVE MODE');
    const caughtUp = follower.catchUp();
    await until(async () => {
      const { rows } = await db.pool.query(WAITING_LOCKS);
      return rows.length > 0;
    });
    await until(async () => isKnown('the first root key'));
    await service.changeRules({ add: [['g', 'bob', 'editor', 'acme']], remove: [], actor: 'root' });
    await installRootKey(db.database, 'another root key');
    const afterwards = follower.catchUp();
    await follower.catchUpKeys();
    assert.equal(isKnown('the first root key'), false);
    assert.equal(follower.snapshot.revision, 1);
    assert.deepEqual(linesOf(follower), [['g', 'alice', 'editor', 'acme']]);

    await blocker.query('COMMIT');
    blocker.release();
    assert.ok((await caughtUp).revision >= 3, 'the first call is answered by what it asked for');
    assert.equal((await afterwards).revision, 6);
    assert.equal(isKnown('the first root key'), false);
    assert.deepEqual(linesOf(follower), [
      ['g', 'carol', 'editor', 'acme'],
      ['g', 'dan', 'x', 'acme'],
      ['g', 'bob', 'editor', 'acme'],
    ]);
    await follower.stop();
  });
});

function linesOf({ snapshot }: CurrentPolicy): readonly RuleLine[] {
  return (snapshot.engine as OpenEngine).lines;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}
