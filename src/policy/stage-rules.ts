import { sql } from 'kysely';
import type { DatabaseTransaction } from '../platform/database.js';
import { takeTurns } from '../platform/turns.js';
import type { BundleRule } from './compiled-bundle.js';
import { digestOf, type TenantOf } from './rule-table.js';

/** Rules sent by one statement. */
const SENT = 1_000;

/**
 * Sends the rules of a bundle, in their order, to a table of this transaction's own (`incoming`),
 * where `replaceBundleRules` finds them: nobody waits for that. In short turns of the event loop.
 */
export async function stageRules(
  transaction: DatabaseTransaction,
  rules: readonly BundleRule[],
  tenantOf: TenantOf,
): Promise<void> {
  await sql`
    CREATE TEMPORARY TABLE incoming (
      rank   bigint NOT NULL,
      ptype  text NOT NULL,
      rule   jsonb NOT NULL,
      digest bytea NOT NULL,
      tenant text,
      file   text NOT NULL,
      line   integer NOT NULL
    ) ON COMMIT DROP`.execute(transaction);
  const turns = takeTurns();
  let sending: Promise<unknown> = Promise.resolve();
  let rows: object[] = [];
  for (const [index, { line, source }] of rules.entries()) {
    rows.push({
      rank: index + 1,
      ptype: line[0],
      rule: line.slice(1),
      digest: digestOf(line),
      tenant: tenantOf(line) ?? null,
      file: source.file,
      line: source.line,
    });
    if (rows.length === SENT) {
      await sending;
      sending = send(transaction, rows);
      rows = [];
    }
    if (turns.isOver()) await turns.next();
  }
  await sending;
  await send(transaction, rows);
  await sql`ANALYZE incoming`.execute(transaction);
}

async function send(transaction: DatabaseTransaction, rows: readonly object[]): Promise<void> {
  await sql`
    INSERT INTO incoming (rank, ptype, rule, digest, tenant, file, line)
    SELECT rank, ptype, rule, decode(digest, 'hex'), tenant, file, line
    FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS sent
      (rank bigint, ptype text, rule jsonb, digest text, tenant text, file text, line integer)
  `.execute(transaction);
}
