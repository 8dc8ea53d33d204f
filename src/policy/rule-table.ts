import { createHash } from 'node:crypto';
import type { RuleLine } from '../vocabulary.js';

/** Rules sent or fetched by one statement: digesting and reading them is work of one turn. */
export const BATCH = 1_000;

/** Gives the tenant of a rule, as the column `tenant` keeps it. */
export type TenantOf = (rule: RuleLine) => string | undefined;

/** The table that casbin-pg-adapter defines, with columns of ours. */
export type RuleTables = {
  casbin: {
    id: string;
    ptype: string;
    rule: readonly string[];
    digest: Buffer;
    tenant: string | null;
    bundle_rank: string | null;
    bundle_file: string | null;
    bundle_line: number | null;
    admin_rank: string | null;
    admin_by: string | null;
    admin_at: Date | null;
  };
};

/** The rule of a row. */
export function toLine({ ptype, rule }: { ptype: string; rule: readonly string[] }): RuleLine {
  return [ptype, ...rule];
}

/** One rule, one digest: SHA-256 over its values, of any length. */
export function digestOf([, ...values]: RuleLine): string {
  return createHash('sha256').update(JSON.stringify(values)).digest('hex');
}

/** What finds a rule in the table. */
export function keyOf(rule: RuleLine): { ptype: string; digest: string } {
  return { ptype: rule[0], digest: digestOf(rule) };
}

/** Rules, as many at a time as one statement takes. */
export function* batches(rules: readonly RuleLine[]): Generator<readonly RuleLine[]> {
  for (let at = 0; at < rules.length; at += BATCH) yield rules.slice(at, at + BATCH);
}
