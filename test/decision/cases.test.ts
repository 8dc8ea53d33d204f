import assert from 'node:assert/strict';
import { snapshotOf, askAlone } from '../../src/decision/bundle-tests.js';
import { createMemoryLimiter } from '../../src/governance/memory-limiter.js';
import { compileBundle } from '../../src/policy/compile-bundle.js';
import { loadShippedModels } from '../../src/policy/shipped-models.js';
import type { Snapshot } from '../../src/policy/snapshot.js';
import {
  askedBefore,
  assertAnswer,
  bundleOf,
  type CaseFile,
  caseFiles,
  momentOf,
} from '../support/cases.js';
import { type EngineKind, ENGINES, engineWith } from '../support/engines.js';

/** The policy of a file, its rules held by this engine. */
async function policyOf(file: CaseFile, kind: EngineKind): Promise<Snapshot> {
  const shippedModels = await loadShippedModels();
  const compilation = compileBundle(await bundleOf(file), { shippedModels });
  if ('faults' in compilation) throw new Error(JSON.stringify(compilation.faults, null, 2));
  const { bundle } = compilation;
  const lines = bundle.rules.map(({ line }) => line);
  return { ...snapshotOf(bundle), engine: engineWith(kind, bundle.model, lines) };
}

for (const kind of ENGINES) {
  describe(`the decision matrix, asked of the decision itself with the ${kind.name} engine`, () => {
    for (const file of caseFiles()) {
      describe(file.file, () => {
        let policy: Snapshot;
        before(async () => {
          policy = await policyOf(file, kind);
        });

        it(`is decided by the ${kind.name} engine`, () => {
          assert.equal(policy.engine.name, kind.name);
        });

        for (const test of file.tests) {
          it(test.name, async () => {
            const clock = { now: () => momentOf(file, test) };
            const limiter = createMemoryLimiter({ clock });
            for (const check of askedBefore(test)) await askAlone(check, policy, clock, limiter);
            const answer = await askAlone(test.check, policy, clock, limiter);
            assertAnswer({ ...answer }, test);
          });
        }
      });
    }
  });
}
