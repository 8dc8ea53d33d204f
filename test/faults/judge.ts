import type { Answered, Unanswered } from './load.js';
import type { Oracle } from './oracle.js';
import type { Node, World } from './world.js';

/** A part of an answer that is a decision. */
interface Decision {
  readonly allowed?: unknown;
  readonly reason?: unknown;
  readonly revision?: unknown;
  readonly decision_id?: unknown;
}

/** One fault has many wrong answers; these will do to find it. */
const SHOWN = 5;

/**
 * What is wrong with these answers, each in a line: nothing, where all that were given are right, and
 * those that could not be given say so and when to ask again.
 */
export function wrongAnswers(
  answers: readonly Answered[],
  oracle: Oracle,
  { tenant }: World,
): string[] {
  const wrong = answers.flatMap((answer) => {
    const fault = faultOf(answer, oracle, tenant);
    if (fault === undefined) return [];
    const { node, kind, status, body } = answer;
    return [`${node.name}, ${kind}: ${fault}: ${status} ${JSON.stringify(body)}`];
  });
  return wrong.slice(0, SHOWN);
}

/** Requests that no answer came to, each in a line; those to a server that was killed may be lost. */
export function lostRequests(unanswered: readonly Unanswered[], killed?: Node): string[] {
  return unanswered
    .filter(({ node }) => node !== killed)
    .map(({ node, kind, why }) => `${node.name}, ${kind}: ${why}`);
}

/** The decisions that were given, by id. */
export function decisionIds(answers: readonly Answered[]): string[] {
  return answers.flatMap((answer) =>
    answer.status === 200 && answer.kind !== 'write'
      ? decisionsOf(answer).map(({ decision_id }) => String(decision_id))
      : [],
  );
}

function faultOf(answer: Answered, oracle: Oracle, tenant: string): string | undefined {
  const { kind, status, retryAfter = 0, body, readings, least } = answer;
  if (status === 503) {
    if (!['unavailable', 'revision_unavailable'].includes(String(body['code']))) return 'its code';
    return retryAfter >= 1 ? undefined : 'no `Retry-After`';
  }
  if (status !== 200) return 'its status';
  if (Number(body['revision']) < least) return `older than ${least}`;
  if (kind === 'limited') return body['allowed'] === true ? undefined : 'not allowed';
  if (kind === 'vault') {
    return body['decision'] === 'approval_required' ? undefined : 'nobody approved it';
  }
  if (kind === 'write') return isOf(body, oracle) ? undefined : 'another change';
  const decisions = decisionsOf(answer);
  if (kind === 'batch' && decisions.length !== readings.length) return 'their number';
  for (const [index, reading] of readings.entries()) {
    const { allowed, reason, revision } = decisions[index] ?? {};
    if (revision !== body['revision']) return 'two revisions';
    if (oracle.allows(Number(revision), reading, tenant) !== allowed) {
      return `the rules say otherwise of ${reading.subject} and ${reading.document} (${String(reason)})`;
    }
  }
  return undefined;
}

/** Whether a change is what its revision has; one that changed nothing tells of no revision's. */
function isOf({ revision, added, removed }: Answered['body'], oracle: Oracle): boolean {
  if (added === 0 && removed === 0) return true;
  const known = oracle.changeOf(Number(revision));
  return known?.added === added && known?.removed === removed;
}

function decisionsOf({ kind, body }: Answered): readonly Decision[] {
  return kind === 'batch' ? (body['results'] as Decision[]) : [body];
}
