import type { ApprovalFinder } from './steps/require-approval.js';
import { Unavailable, CountersignError, type BundleFault } from '../errors.js';
import { buildEngine, createEngine } from '../engine/create-engine.js';
import type { Engine, MatcherPart } from '../engine/engine.js';
import { GovernanceIndex } from '../governance/governance-index.js';
import type { Limiter } from '../governance/limiter.js';
import { createMemoryLimiter } from '../governance/memory-limiter.js';
import type { Caller } from '../identity/caller.js';
import { type Clock, systemClock } from '../platform/clock.js';
import { inTurns, takeTurns, type Turns } from '../platform/turns.js';
import type { BundleTest, BundleTester, CompiledBundle } from '../policy/compiled-bundle.js';
import { emptyKeyRing } from '../identity/key-ring.js';
import type { Snapshot } from '../policy/snapshot.js';
import { type AnswerBody, answerOf } from './answer.js';
import { authorizeQuestion } from './authorize-question.js';
import { parseCheckBody } from './check-schema.js';
import { decide } from './decide.js';
import { readPolicy } from './read-policy.js';

/** What became of one test of a bundle. */
export interface TestResult {
  readonly test: BundleTest;
  readonly passed: boolean;
  /** The answer, or the message of the error that the check met. */
  readonly actual: AnswerBody | string;
}

/** Tests ask as a service would that may ask about everybody, in every tenant. */
const TESTER: Caller = {
  id: 'bundle-tests',
  tenant: undefined,
  user: undefined,
  person: 'bundle-tests',
  systemRoles: ['service'],
};

/** Nobody was asked yet: each test starts without approvals. */
const NO_APPROVALS: ApprovalFinder = {
  find: async () => ({ state: 'none' }),
  open: async () => {
    throw new Unavailable('a bundle test opens no approvals');
  },
};

/**
 * Runs the tests of a bundle against that bundle alone, quotas and grants fresh for each. With many
 * rules that takes long: in short turns, so that a server answers checks in between.
 */
export async function testBundle(
  bundle: CompiledBundle,
): Promise<{ readonly results: readonly TestResult[]; readonly parts: readonly MatcherPart[] }> {
  const turns = takeTurns();
  const engine = await loadEngine(bundle, turns);
  const governance = await inTurns(GovernanceIndex.indexing(bundle.governance));
  const policy = snapshotWith(bundle, engine, governance);
  const results: TestResult[] = [];
  for (const test of bundle.tests) {
    results.push(await runTest(test, policy));
    if (turns.isOver()) await turns.next();
  }
  return { results, parts: engine.parts };
}

async function loadEngine({ model, rules }: CompiledBundle, turns: Turns): Promise<Engine> {
  const builder = buildEngine(model);
  for (const { line } of rules) {
    builder.add(line);
    if (turns.isOver()) await turns.next();
  }
  return inTurns(builder.building());
}

/** `testBundle` as a trial of the bundle: each test that fails is a fault at its place. */
export const runBundleTests: BundleTester = async (bundle) => {
  const { results, parts } = await testBundle(bundle);
  return { faults: results.filter((result) => !result.passed).map(faultOf), parts };
};

/** A snapshot of a bundle that was never stored. */
export function snapshotOf(bundle: CompiledBundle): Snapshot {
  const lines = bundle.rules.map(({ line }) => line);
  const engine = createEngine(bundle.model, lines);
  return snapshotWith(bundle, engine, new GovernanceIndex(bundle.governance));
}

function snapshotWith(
  bundle: CompiledBundle,
  engine: Engine,
  governance: GovernanceIndex,
): Snapshot {
  return {
    revision: 0,
    bundle: { number: 0, name: bundle.name, commit: undefined },
    model: bundle.model,
    engine,
    governance,
    settings: bundle.settings,
    keys: emptyKeyRing,
  };
}

async function runTest(test: BundleTest, policy: Snapshot): Promise<TestResult> {
  const { now } = test;
  const clock = now === undefined ? systemClock : { now: () => now };
  try {
    const body = await askAlone(test.check, policy, clock, createMemoryLimiter({ clock }));
    return { test, passed: meets(body, test.expect), actual: body };
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
    return { test, passed: false, actual: messageOf(error) };
  }
}

/**
 * Decides a body of `POST /check` with a policy alone: no approval was asked for yet, and nothing is
 * recorded. Throws as `POST /check` does.
 */
export async function askAlone(
  body: unknown,
  policy: Snapshot,
  clock: Clock,
  limiter: Limiter,
): Promise<AnswerBody> {
  const question = authorizeQuestion(TESTER, parseCheckBody(body), { requestId: 'test' });
  const answer = await decide(readPolicy(question, policy), {
    clock,
    limiter,
    approvals: NO_APPROVALS,
    settle: async (evaluation, verdict) => answerOf(evaluation, verdict, 'dec_test'),
  });
  return answer.body;
}

function meets(actual: AnswerBody, { decision, reason }: BundleTest['expect']): boolean {
  return actual.decision === decision && (reason === undefined || actual.reason === reason);
}

function messageOf(error: CountersignError): string {
  const { errors } = error.members;
  const places = Array.isArray(errors)
    ? errors.map(({ path, message }: { path: string; message: string }) => `${path}: ${message}`)
    : [];
  return [error.message, ...places].join('; ');
}

function faultOf({ test, actual }: TestResult): BundleFault {
  const { decision, reason } = test.expect;
  const expected = reason === undefined ? decision : `${decision} (${reason})`;
  const found =
    typeof actual === 'string'
      ? `the check failed: ${actual}`
      : `got ${actual.decision} (${actual.reason})`;
  return { ...test.source, message: `the test \`${test.name}\` expects ${expected}, ${found}` };
}
