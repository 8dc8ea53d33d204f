import type { BundleFault } from '../errors.js';
import type { Work } from '../platform/turns.js';
import type { BundleRule } from './compiled-bundle.js';

/** A role relation: `name` is given everything that `role` has. */
interface Inheritance {
  readonly role: string;
  readonly rule: BundleRule;
}

/**
 * Finds roles that inherit from themselves, and warns of each circle once, at a line that closes it.
 * Pauses after each rule.
 */
export function* roleCycles(rules: readonly BundleRule[]): Work<BundleFault[]> {
  // Names that no relation gives, such as users, can be in no circle: most lines end here.
  const given = new Set<string>();
  for (const { line } of rules) {
    yield;
    if (isRelation(line)) given.add(nodeOf(line, 2));
  }
  const graph = new Map<string, Inheritance[]>();
  for (const rule of rules) {
    yield;
    if (!isRelation(rule.line)) continue;
    const name = nodeOf(rule.line, 1);
    if (!given.has(name)) continue;
    const inherited = graph.get(name);
    const inheritance = { role: nodeOf(rule.line, 2), rule };
    if (inherited) inherited.push(inheritance);
    else graph.set(name, [inheritance]);
  }
  return (yield* circlesOf(graph)).map(({ line, source }) => ({
    ...source,
    column: 1,
    message: `\`${line[1]}\` inherits from itself through \`${line[2]}\`; remove one of the lines`,
  }));
}

function isRelation(line: BundleRule['line']): boolean {
  return /^g[0-9]*$/.test(line[0]) && line.length >= 3;
}

/** A name within its kind of relation and tenant; no value holds a NUL. */
function nodeOf(line: BundleRule['line'], field: 1 | 2): string {
  return [line[0], line[3] ?? '', line[field]].join('\0');
}

/** The lines that lead back to a name on the way to themselves: depth first, without recursion. */
function* circlesOf(graph: ReadonlyMap<string, readonly Inheritance[]>): Work<BundleRule[]> {
  const closing: BundleRule[] = [];
  const state = new Map<string, 'open' | 'done'>();
  for (const start of graph.keys()) {
    if (state.has(start)) continue;
    const path = [{ name: start, next: 0 }];
    state.set(start, 'open');
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      yield;
      const step = graph.get(top.name)?.[top.next];
      top.next += 1;
      if (step === undefined) {
        state.set(top.name, 'done');
        path.pop();
      } else if (state.get(step.role) === 'open') {
        closing.push(step.rule);
      } else if (!state.has(step.role)) {
        state.set(step.role, 'open');
        path.push({ name: step.role, next: 0 });
      }
    }
  }
  return closing;
}
