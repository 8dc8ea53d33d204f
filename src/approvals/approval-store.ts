import { type RawBuilder, sql } from 'kysely';
import type { Clock } from '../platform/clock.js';
import type { Database, DatabaseTransaction } from '../platform/database.js';
import type { Check } from '../vocabulary.js';
import type { Approval, FoundApproval } from './approval.js';
import {
  type ApprovalRow,
  type ApprovalTables,
  approvalOf,
  type Asked,
  changeableColumns,
  rowOf,
} from './approval-row.js';
import type { PolicyInForce } from './approval-service.js';
import { type Binding, sortedPaths } from './binding.js';

/** An approval with the time at which it was read, in milliseconds since the epoch. */
export interface Read {
  readonly approval: Approval;
  /** The paths of the context that it binds, as a sorted set. */
  readonly bind: readonly string[];
  readonly now: number;
}

/** A pending approval with the check as it was sent. */
export interface PendingOne extends Read {
  readonly requested: Check;
}

/** The moment by the database's clock, to the millisecond; by `clock` where a test hands one in. */
export function moment(clock: Clock | undefined): RawBuilder<Date> {
  return clock === undefined
    ? sql<Date>`date_trunc('milliseconds', clock_timestamp())`
    : sql<Date>`${new Date(clock.now())}::timestamptz`;
}

/** Of a pending request: whether it keeps other rules, or binds other paths, than are in force. */
export function hasChanged(policy: PolicyInForce | undefined): RawBuilder<boolean> {
  if (policy === undefined) return sql`false`;
  return sql`(revision <= ${policy.revision}
    AND NOT (rule_digests <@ ${[...policy.digests]}::text[] AND bind = ${sortedPaths(policy.bind)}::text[]))`;
}

/** The approval that a row holds, as it was read. */
export function readOf(row: ApprovalRow & { readonly now: Date }): Read {
  return { approval: approvalOf(row), bind: row.bind, now: row.now.getTime() };
}

/** Reads and writes approvals. Whoever changes one holds its row first (`lock`). */
export class ApprovalStore {
  readonly #database: Database;
  readonly #clock: Clock | undefined;

  constructor(database: Database, clock?: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** The time by which approvals live. */
  async now(database: Database): Promise<number> {
    const { rows } = await sql<{ now: Date }>`SELECT ${this.#moment()} AS now`.execute(database);
    const [row] = rows;
    if (row === undefined) throw new Error('the database told no time');
    return row.now.getTime();
  }

  /** What stands for a binding: a grant before a pending request before a rejection. */
  async standing(
    { content, terms }: Binding,
    database: Database = this.#database,
  ): Promise<FoundApproval> {
    const over = sql<Date>`CASE status WHEN 'approved' THEN grant_expires_at ELSE expires_at END`;
    const row = await database
      .withTables<ApprovalTables>()
      .selectFrom('approvals')
      .select(['id', 'status', 'grant_mode', over.as('over')])
      .where('content', '=', Buffer.from(content, 'hex'))
      .where('terms', '=', Buffer.from(terms, 'hex'))
      .where(sql<boolean>`status IN ('pending', 'approved', 'rejected')`)
      .where(sql<boolean>`${over} > ${this.#moment()}`)
      .orderBy(sql`array_position(ARRAY['approved', 'pending', 'rejected'], status)`)
      .limit(1)
      .executeTakeFirst();
    if (row === undefined) return { state: 'none' };
    const { id, status, grant_mode: mode } = row;
    const time = row.over.getTime();
    if (status === 'approved') return { state: 'granted', id, mode, expiresAt: time };
    if (status === 'pending') return { state: 'pending', id, expiresAt: time };
    return { state: 'rejected', id, until: time };
  }

  /** Lets one opening of a check after another through, until the transaction ends. */
  async takeTurn(transaction: DatabaseTransaction, { identity }: Binding): Promise<void> {
    const key = Buffer.from(identity, 'hex').readBigInt64BE().toString();
    await sql`SELECT pg_advisory_xact_lock(${key}::bigint)`.execute(transaction);
  }

  /**
   * The pending requests, overdue ones too, that stand in the way of a new one or are for the same
   * check under other terms; held until the transaction ends.
   */
  async lockPending(
    transaction: DatabaseTransaction,
    { identity, content, terms }: Binding,
  ): Promise<PendingOne[]> {
    const { rows } = await sql<ApprovalRow & { now: Date }>`
      WITH held AS MATERIALIZED (
        SELECT * FROM approvals
        WHERE identity = ${Buffer.from(identity, 'hex')} AND status = 'pending'
          AND (content = ${Buffer.from(content, 'hex')} OR terms <> ${Buffer.from(terms, 'hex')})
        ORDER BY id
        FOR UPDATE
      )
      SELECT held.*, ${this.#moment()} AS now FROM held`.execute(transaction);
    return rows.map((row) => ({ ...readOf(row), requested: row.requested }));
  }

  async insert(transaction: DatabaseTransaction, approval: Approval, asked: Asked): Promise<void> {
    await transaction
      .withTables<ApprovalTables>()
      .insertInto('approvals')
      .values(rowOf(approval, asked))
      .execute();
  }

  async find(id: string, database: Database): Promise<Read | undefined> {
    const { rows } = await sql<ApprovalRow & { now: Date }>`
      SELECT approvals.*, ${this.#moment()} AS now FROM approvals WHERE id = ${id}`.execute(
      database,
    );
    return rows.map(readOf)[0];
  }

  /** Holds an approval until the transaction ends. The time is read once the row is held. */
  async lock(transaction: DatabaseTransaction, id: string): Promise<Read | undefined> {
    const { rows } = await sql<ApprovalRow & { now: Date }>`
      WITH held AS MATERIALIZED (SELECT * FROM approvals WHERE id = ${id} FOR UPDATE)
      SELECT held.*, ${this.#moment()} AS now FROM held`.execute(transaction);
    return rows.map(readOf)[0];
  }

  /** Holds overdue requests and grants that nobody else holds. */
  async lockDue(transaction: DatabaseTransaction, limit: number): Promise<Read[]> {
    const now = this.#moment();
    // As a query of its own the time is read once, and the index can be searched by it.
    const { rows } = await sql<ApprovalRow & { now: Date }>`
      WITH requests AS MATERIALIZED (
        SELECT * FROM approvals WHERE status = 'pending' AND expires_at <= (SELECT ${now})
        ORDER BY expires_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
      ), grants AS MATERIALIZED (
        SELECT * FROM approvals WHERE status = 'approved' AND grant_expires_at <= (SELECT ${now})
        ORDER BY grant_expires_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
      ), held AS (SELECT * FROM requests UNION ALL SELECT * FROM grants)
      SELECT held.*, ${now} AS now FROM held`.execute(transaction);
    return rows.map(readOf);
  }

  /** Holds pending requests that keep other rules, or bind other paths, than are in force. */
  async lockChanged(
    transaction: DatabaseTransaction,
    policy: PolicyInForce,
    limit: number,
  ): Promise<Read[]> {
    const { rows } = await sql<ApprovalRow & { now: Date }>`
      WITH held AS MATERIALIZED (
        SELECT * FROM approvals
        WHERE status = 'pending' AND ${hasChanged(policy)}
        ORDER BY id LIMIT ${limit}
        FOR UPDATE
      )
      SELECT held.*, ${this.#moment()} AS now FROM held`.execute(transaction);
    return rows.map(readOf);
  }

  /** Pending requests opened before a revision, in the order of their ids, from the one after `after`. */
  async pendingBefore(
    revision: number,
    after: string,
    limit: number,
    database: Database,
  ): Promise<Read[]> {
    const { rows } = await sql<ApprovalRow & { now: Date }>`
      SELECT approvals.*, ${this.#moment()} AS now FROM approvals
      WHERE status = 'pending' AND revision < ${revision} AND id > ${after}
      ORDER BY id LIMIT ${limit}`.execute(database);
    return rows.map(readOf);
  }

  /** Writes what an event made of an approval that this transaction holds. */
  async save(transaction: DatabaseTransaction, approval: Approval): Promise<void> {
    await transaction
      .withTables<ApprovalTables>()
      .updateTable('approvals')
      .set(changeableColumns(approval))
      .where('id', '=', approval.id)
      .execute();
  }

  #moment(): RawBuilder<Date> {
    return moment(this.#clock);
  }
}
