/** A slip of the pen in the indexed engine, as a replacement of text that occurs exactly once. */
export interface Fault {
  /** What the engine does wrong with it. */
  readonly name: string;
  /** A file of src/engine/indexed/. */
  readonly file: string;
  /** The number of a run (`probeRun`) in which it shows: it is looked for there first. */
  readonly run: number;
  readonly find: string;
  readonly replace: string;
}

/** Slips that a change of the index could well make. Each must be noticed. */
export const FAULTS: readonly Fault[] = [
  {
    name: 'looks one level of roles less far',
    file: 'role-relations.ts',
    run: 2,
    find: 'const MAX_LEVELS = 10;',
    replace: 'const MAX_LEVELS = 9;',
  },
  {
    name: 'looks one level of roles too far',
    file: 'role-relations.ts',
    run: 6,
    find: 'level <= MAX_LEVELS',
    replace: 'level <= MAX_LEVELS + 1',
  },
  {
    name: 'goes on with the roles that it remembers after a relation changed',
    file: 'recent.ts',
    run: 2,
    find: 'if (!this.#isEmpty) this.#keys.fill(NONE);',
    replace: '',
  },
  {
    name: 'takes a name for a role after its last relation has gone',
    file: 'role-relations.ts',
    run: 2,
    find: 'this.#nodes.get(target, GIVEN) - 1',
    replace: 'this.#nodes.get(target, GIVEN)',
  },
  {
    name: 'remembers the roles of patterns without their tenant',
    file: 'patterned-roles.ts',
    run: 7,
    find: 'this.#remembered.get(tenant)?.get(name)',
    replace: '[...this.#remembered.values()][0]?.get(name)',
  },
  {
    name: 'still finds a rule that was removed',
    file: 'rule-index.ts',
    run: 14,
    find: 'path.remove(row);',
    replace: 'void path;',
  },
  {
    name: 'ranks a rule that it holds anew when it is added again',
    file: 'indexed-engine.ts',
    run: 0,
    find: 'if (!this.#holds(line)) turns',
    replace: 'turns',
  },
  {
    name: 'shows rules of a change that is only prepared',
    file: 'rule-index.ts',
    run: 14,
    find: 'if (table.isChanging) rows.keep((row) => table.isInForce(row));',
    replace: '',
  },
  {
    name: 'relates names by a change that is only prepared',
    file: 'role-relations.ts',
    run: 0,
    find: 'this.#takeNode(role, tenant);\n  }',
    replace: 'this.#takeNode(role, tenant);\n    this.link(name, role, tenant);\n  }',
  },
  {
    name: 'goes on with rules that went with a change until that is tidied',
    file: 'rule-table.ts',
    run: 8,
    find: 'this.#alsoIn = COMING;',
    replace: '',
  },
  {
    name: 'evaluates the rules of several look-ups in the order of the look-ups',
    file: 'rule-index.ts',
    run: 2,
    find: 'if (rows.length > 1) order.sort(rows);',
    replace: '',
  },
  {
    name: 'takes rules of equal priority in any order',
    file: 'rule-order.ts',
    run: 15,
    find: '(priorities[a] as number) - (priorities[b] as number) || a - b',
    replace: '(priorities[a] as number) - (priorities[b] as number) || b - a',
  },
  {
    name: 'keeps the order of subjects after their roles changed',
    file: 'rule-order.ts',
    run: 48,
    find: 'this.#places = places;',
    replace: 'this.#places ??= places;',
  },
  {
    name: 'swallows the error of a condition on the request alone',
    file: 'ready-guard.ts',
    run: 0,
    find: "return 'failed';",
    replace: "return 'none match';",
  },
  {
    name: 'indexes what stands behind a part that may throw',
    file: 'index-plan.ts',
    run: 8,
    find: 'if (!(found?.safe && paths) && !isHarmless(part, this.#model)) break;',
    replace: '',
  },
  {
    name: 'lets the first allow win over a deny',
    file: 'effect.ts',
    run: 4,
    find: 'if (said === ALLOW) decided(merged, true, place);',
    replace: 'if (said === ALLOW) return decided(merged, true, place);',
  },
  {
    name: 'names the first rule that allows instead of the last',
    file: 'effect.ts',
    run: 4,
    find: 'merged.named = place;',
    replace: 'if (merged.named === -1) merged.named = place;',
  },
  {
    name: 'compares strictly what Casbin compares loosely',
    file: 'interpreter.ts',
    run: 19,
    find: "'==': (a, b) => a == b,",
    replace: "'==': (a, b) => a === b,",
  },
  {
    name: 'finds no rule by `true` or `false`',
    file: 'lookups.ts',
    run: 31,
    find: "typeof wanted === 'number' || typeof wanted === 'boolean'",
    replace: "typeof wanted === 'number'",
  },
  {
    name: 'passes over the longest prefix of a pattern',
    file: 'value-index.ts',
    run: 2,
    find: 'length <= longest',
    replace: 'length < longest',
  },
  {
    name: 'allows by a rule without its effect',
    file: 'effect.ts',
    run: 0,
    find: "return eft === 'deny' ? DENY : INDETERMINATE;",
    replace: "return eft === 'deny' ? DENY : ALLOW;",
  },
];
