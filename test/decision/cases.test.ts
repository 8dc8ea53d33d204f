import { snapshotOf, askAlone } from '../../src/decision/bundle-tests.js';
import { createMemoryLimiter } from '../../src/governance/memory-limiter.js';
import { compileBundle } from '../../src/policy/compile-bundle.js';
import { loadShippedModels } from '../../src/policy/shipped-models.js';
import type { Snapshot } from '../../src/policy/snapshot.js';
import { askedBefore, assertAnswer, bundleOf, caseFiles, momentOf } from '../support/cases.js';

describe('the decision matrix, asked of the decision itself', () => {
  for (const file of caseFiles()) {
    describe(file.file, () => {
      let policy: Snapshot;
      before(async () => {
        const shippedModels = await loadShippedModels();
        const compilation = compileBundle(await bundleOf(file), { shippedModels });
        if ('faults' in compilation) throw new Error(JSON.stringify(compilation.faults, null, 2));
        policy = snapshotOf(compilation.bundle);
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
