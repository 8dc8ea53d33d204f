import { Type } from '@sinclair/typebox';
import type { Check } from '../vocabulary.js';
import { CounterNames } from './counter-names.js';
import type { Applied, Limit, Per, RateLimitRule, RateTerms } from './governance-rule.js';
import type { KindOfRule, TellFault } from './kind.js';
import type { Demand } from './limiter.js';
import { CLOSED, nameSchema } from './schema-parts.js';

interface Written {
  readonly limits: readonly Limit[];
  readonly by_role?: Readonly<Record<string, readonly Limit[]>>;
  readonly key?: RateTerms['key'];
}

const PERIODS: Readonly<Record<Per, number>> = {
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
};

const limits = (description: string) =>
  Type.Array(
    Type.Object(
      {
        per: Type.Union(
          (['second', 'minute', 'hour', 'day'] as const).map((per) => Type.Literal(per)),
          { description: 'A sliding window of this length.' },
        ),
        count: Type.Integer({
          minimum: 1,
          maximum: 1_000_000_000,
          description: 'At most this many in any such window.',
        }),
      },
      CLOSED,
    ),
    { minItems: 1, maxItems: 4, description },
  );

/** `rate-limit`: what the rule speaks of is allowed only so many times. */
export const rateLimit: KindOfRule<RateLimitRule, Written> = {
  kind: 'rate-limit',
  members: {
    limits: limits('All of them hold.'),
    by_role: Type.Optional(
      Type.Record(nameSchema(), limits('For holders of the role, in place of the same `per`.'), {
        ...CLOSED,
        minProperties: 1,
        description: 'Limits for holders of a role; of several roles the largest counts.',
      }),
    ),
    key: Type.Optional(
      Type.Union(
        (['subject', 'tenant', 'resource'] as const).map((key) => Type.Literal(key)),
        { default: 'subject', description: 'What is counted by.' },
      ),
    ),
  },
  compile: (written, tell) => {
    checkPeriods(written.limits, '/limits', tell);
    const byRole = written.by_role ?? {};
    const periods = new Set(written.limits.map(({ per }) => per));
    for (const [role, own] of Object.entries(byRole)) {
      const place = `/by_role/${role.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      checkPeriods(own, place, tell);
      own.forEach(({ per }, index) => {
        if (periods.has(per)) return;
        tell(
          `${place}/${index}/per`,
          `there is no limit per \`${per}\` to replace; add it to \`limits\``,
        );
      });
    }
    return { rate: { limits: written.limits, byRole, key: written.key ?? 'subject' } };
  },
};

function checkPeriods(written: readonly Limit[], place: string, tell: TellFault): void {
  const seen = new Set<Per>();
  written.forEach(({ per }, index) => {
    if (seen.has(per))
      tell(`${place}/${index}/per`, `\`${per}\` is given twice; keep one limit for it`);
    seen.add(per);
  });
}

const names = new CounterNames();

/**
 * What a check takes from the counters of the rules that apply to it. A limit for a role replaces the
 * one of the same `per`; of several roles the largest counts.
 */
export function demandsOf(
  applied: readonly Applied<RateLimitRule>[],
  check: Check,
  roles: readonly string[],
): Demand[] {
  const demands: Demand[] = [];
  for (const { rule } of applied) {
    for (const limit of rule.rate.limits) {
      const { per, count } = limit;
      demands.push({
        ruleId: rule.id,
        tenant: check.tenant,
        counter: names.nameOf(rule, limit, check),
        periodMs: PERIODS[per],
        count: countFor(rule.rate, per, roles) ?? count,
      });
    }
  }
  return demands;
}

function countFor({ byRole }: RateTerms, per: Per, roles: readonly string[]): number | undefined {
  let largest: number | undefined;
  for (const role of roles) {
    if (!Object.hasOwn(byRole, role)) continue;
    const own = byRole[role]?.find((limit) => limit.per === per);
    if (own !== undefined) largest = Math.max(largest ?? 0, own.count);
  }
  return largest;
}
