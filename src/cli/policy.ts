import type { Command } from 'commander';
import { addPolicyApply } from './policy-apply.js';
import { addPolicyDiff } from './policy-diff.js';
import { addPolicyHistory } from './policy-history.js';
import { addPolicyRollback } from './policy-rollback.js';
import { addPolicyTest } from './policy-test.js';
import { addPolicyValidate } from './policy-validate.js';
import type { Surroundings } from './surroundings.js';

/** `countersign policy …`: bundles, on disk and on the server. */
export function addPolicy(program: Command, surroundings: Surroundings): void {
  const policy = program.command('policy').description('work on bundles of policy');
  addPolicyValidate(policy, surroundings);
  addPolicyTest(policy, surroundings);
  addPolicyDiff(policy, surroundings);
  addPolicyApply(policy, surroundings);
  addPolicyRollback(policy, surroundings);
  addPolicyHistory(policy, surroundings);
}
