import type { Engine } from '../src/engine/engine.js';
import { type Check, resourceKey, subjectKey } from '../src/vocabulary.js';
import { stockEnforcer } from '../test/engine/support.js';
import { built } from './checkout.js';
import type { Workload } from './workloads.js';

/** What decides the checks of a workload, each by its index; past the end it starts over. */
export interface Decider {
  readonly name: string;
  /** Whether the check is allowed. */
  decide(index: number): boolean;
}

/** Our engine for a workload. */
export async function ourEngine(workload: Workload, checkout?: string): Promise<Decider> {
  const engine = await engineOf(workload, checkout);
  const { checks } = workload;
  return {
    name: `${engine.name} engine`,
    decide: (index) => engine.decide(at(checks, index)).effect === 'allow',
  };
}

/**
 * Stock node-casbin with the same rules, loaded straight into its model: `addPolicies` takes time that
 * grows with the square of their number.
 */
export async function nodeCasbin({ model, rules, checks }: Workload): Promise<Decider> {
  const enforcer = await stockEnforcer(model, rules);
  const tokens = enforcer.getModel().model.get('r')?.get('r')?.tokens ?? [];
  const requests = checks.map((check) => tokens.map((token) => valueOf(check, token)));
  return {
    name: 'node-casbin',
    decide: (index) => enforcer.enforceSync(...at(requests, index)),
  };
}

/** The number of checks, of so many that are asked, that two decide differently. */
export function disagreements(ours: Decider, theirs: Decider, count: number): number {
  const indices = Array.from({ length: count }, (_, index) => index);
  return indices.filter((index) => ours.decide(index) !== theirs.decide(index)).length;
}

async function engineOf({ model, rules }: Workload, checkout?: string): Promise<Engine> {
  const { parseModel } = await built('engine/model', checkout);
  const { createEngine } = await built('engine/create-engine', checkout);
  const parsed = parseModel(model);
  if ('faults' in parsed) throw new Error(JSON.stringify(parsed.faults));
  return createEngine(parsed.model, rules);
}

/** What node-casbin is given for a token, which it names as `r_sub`. */
function valueOf(check: Check, token: string): string {
  switch (token) {
    case 'r_sub':
      return subjectKey(check.subject);
    case 'r_dom':
      return check.tenant;
    case 'r_obj':
      return resourceKey(check.resource);
    default:
      return check.action.name;
  }
}

function at<Item>(items: readonly Item[], index: number): Item {
  const item = items[index % items.length];
  if (item === undefined) throw new Error('a workload without checks');
  return item;
}
