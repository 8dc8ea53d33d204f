import type { Kysely, Transaction } from 'kysely';

/**
 * A connection to Postgres without tables: each folder that keeps something in the database declares
 * its own tables beside its store and narrows this with `database.withTables<Its>()`.
 */
// oxlint-disable-next-line typescript/no-empty-object-type
export type Database = Kysely<{}>;

/** A transaction on the same terms as `Database`. */
// oxlint-disable-next-line typescript/no-empty-object-type
export type DatabaseTransaction = Transaction<{}>;
