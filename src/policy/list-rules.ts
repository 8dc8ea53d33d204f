import type { Model } from '../engine/model.js';
import type { Database } from '../platform/database.js';
import type { ActivePolicy } from './active-policy.js';
import { parseRulePlace, printRulePlace } from './page.js';
import { listRules, type RuleInForce } from './rule-store.js';

/** Which of the rules in force to list. */
export interface RuleQuery {
  readonly tenant?: string | undefined;
  readonly ptype?: string | undefined;
  /** The subject as rules name it. */
  readonly subject?: string | undefined;
  /** What `next` of the page before gave. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** One page of the rules in force. */
export interface ListedRules {
  readonly items: readonly RuleInForce[];
  readonly next: string | null;
}

/** Lists rules in force, in the engine's order. @throws InvalidRequest for a wrong `after` */
export async function listRulesInForce(
  database: Database,
  readActivePolicy: (database: Database) => Promise<ActivePolicy | undefined>,
  { tenant, ptype, subject, after, limit }: RuleQuery,
): Promise<ListedRules> {
  const policy = subject === undefined ? undefined : await readActivePolicy(database);
  const rules = await listRules(database, {
    ...(tenant === undefined ? {} : { tenant }),
    ...(ptype === undefined ? {} : { ptype }),
    ...(subject === undefined ? {} : { subject }),
    ...(policy === undefined ? {} : { subjectFields: subjectFields(policy.definition.model) }),
    ...(after === undefined ? {} : { after: parseRulePlace(after) }),
    limit: limit + 1,
  });
  const page = rules.slice(0, limit);
  const last = page.at(-1);
  return {
    items: page.map(({ rule }) => rule),
    next: rules.length > limit && last ? printRulePlace(last.place) : null,
  };
}

/** A `p` rule may name its subject in any field; relations name it first. */
function subjectFields({ policyTokens }: Model): ReadonlyMap<string, number> {
  return new Map([['p', policyTokens.indexOf('sub') + 1 || 1]]);
}
