import type { TestDatabase } from '../support/database.js';

/** A Casbin line, its type first. */
export type Line = readonly string[];

/** A question about documents: what the changing rules speak of. */
export interface Reading {
  readonly subject: string;
  readonly document: string;
}

/** How many lines a change added and removed. */
export interface Changed {
  readonly added: number;
  readonly removed: number;
}

/**
 * Knows the rules at every revision, from the change log alone, and what they come to by a reading
 * of the model that shares nothing with the server: some role of the subject must be allowed, and
 * none denied.
 */
export class Oracle {
  /** By revision: the lines of admins in force, as text. */
  readonly #rules = new Map<number, ReadonlySet<string>>();
  /** By revision: how many lines its change added and removed. */
  readonly #changes = new Map<number, Changed>();
  readonly #database: TestDatabase;
  #newest = 0;

  constructor(database: TestDatabase) {
    this.#database = database;
  }

  /** The newest revision that it has read. */
  get newest(): number {
    return this.#newest;
  }

  /** Reads what was committed since; throws where the log has a gap, or has lost lines. */
  async follow(): Promise<void> {
    const { rows } = await this.#database.pool.query<{
      revision: string;
      kind: string;
      added: Line[] | null;
      removed: Line[] | null;
    }>(
      `SELECT revision, kind, added, removed FROM change_log LEFT JOIN changed_rules USING (revision)
       WHERE revision > $1 ORDER BY revision`,
      [this.#newest],
    );
    for (const { revision, kind, added, removed } of rows) {
      if (Number(revision) !== this.#newest + 1) throw new Error(`no revision before ${revision}`);
      if (kind === 'rules.changed' && added === null) throw new Error(`no lines of ${revision}`);
      const rules = new Set(this.#rules.get(this.#newest));
      for (const line of removed ?? []) rules.delete(line.join());
      for (const line of added ?? []) rules.add(line.join());
      this.#newest += 1;
      this.#rules.set(this.#newest, rules);
      const changed = { added: added?.length ?? 0, removed: removed?.length ?? 0 };
      this.#changes.set(this.#newest, changed);
    }
  }

  /** The lines of admins in force at a revision, sorted. */
  rulesAt(revision: number): string[] {
    return [...this.#at(revision)].sort();
  }

  /** How many lines the change of a revision added and removed. */
  changeOf(revision: number): Changed | undefined {
    return this.#changes.get(revision);
  }

  /** Whether the subject may read the document by the rules of that revision. */
  allows(revision: number, { subject, document }: Reading, tenant: string): boolean {
    const rules = this.#at(revision);
    const effects = ROLES.filter((role) => rules.has(lineOf.role(subject, role, tenant).join()));
    const says = (effect: Effect) =>
      effects.some((role) => rules.has(lineOf.permission(role, document, effect, tenant).join()));
    return says('allow') && !says('deny');
  }

  #at(revision: number): ReadonlySet<string> {
    const rules = this.#rules.get(revision);
    if (rules === undefined) throw new Error(`nobody knows revision ${revision}`);
    return rules;
  }
}

type Effect = 'allow' | 'deny';

/** Few of each, so that writers meet. */
export const SUBJECTS = ['ada', 'ben', 'cyd', 'dan'] as const;
const ROLES = ['red', 'blue', 'green'] as const;
export const DOCUMENTS = ['plan', 'memo', 'note'] as const;

const lineOf = {
  role: (subject: string, role: string, tenant: string): Line => ['g', subject, role, tenant],
  permission: (role: string, document: string, effect: Effect, tenant: string): Line => [
    'p',
    role,
    tenant,
    `document:${document}`,
    'read',
    effect,
  ],
};

/** Every line that writers add and remove. */
export function changingLines(tenant: string): Line[] {
  const roles = ROLES.flatMap((role) =>
    SUBJECTS.map((subject) => lineOf.role(subject, role, tenant)),
  );
  const permissions = ROLES.flatMap((role) =>
    DOCUMENTS.flatMap((document) => [
      lineOf.permission(role, document, 'allow', tenant),
      lineOf.permission(role, document, 'deny', tenant),
    ]),
  );
  return [...roles, ...permissions];
}
