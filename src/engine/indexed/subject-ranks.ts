import type { Work } from '../../platform/turns.js';
import type { ModelDefinitions } from '../definitions.js';
import { Ints } from './ints.js';
import { NONE, SymbolTable } from './symbol-table.js';

/** By how much a subject ranks before the role that it has. */
const STEP = 10;
/** What node-casbin takes for the domain where rules name none. */
const NO_DOMAIN = '';

/** Where subjects stand in the hierarchy of roles. */
export interface SubjectRanks {
  /** The rank of a `p` rule, by its values: the smallest is first, `NaN` where its subject has none. */
  of(values: readonly string[]): number;
}

/**
 * Ranks subjects as node-casbin does for `subjectPriority` (`getSubjectHierarchyMap`), and reads role
 * rules as it does: by the fields that `sub`, `obj` and `dom` are in a `p` rule. Each subject stands
 * below the last role that it was given; one in a cycle stands below whoever of it came first.
 *
 * @param roles the values of the `g` rules in rank order
 */
export function* rankingSubjects(
  { policyTokens }: ModelDefinitions,
  roles: Iterable<readonly string[]>,
): Work<SubjectRanks> {
  const [sub, obj, dom] = ['sub', 'obj', 'dom'].map((token) => policyTokens.indexOf(token));
  const names = new SymbolTable();
  const parents = new Ints();
  const ranks = new Ints();
  const intern = (name: string) => {
    const id = names.intern(name);
    if (id === parents.length) {
      parents.push(NONE);
      ranks.push(0);
    }
    return id;
  };
  let domain: string | undefined = NO_DOMAIN;
  for (const values of roles) {
    if (values.length !== 2) domain = values[dom as number];
    const child = intern(nameIn(domain, values[sub as number]));
    parents.set(child, intern(nameIn(domain, values[obj as number])));
    ranks.set(child, 1);
    yield;
  }

  const isDone = new Uint8Array(names.size);
  const path: number[] = [];
  for (let id = 0; id < names.size; id += 1) {
    // Up to who has a rank for good: a root, or one that was met before.
    for (let at = id; parents.at(at) !== NONE && isDone[at] === 0; at = parents.at(at)) {
      isDone[at] = 1;
      path.push(at);
      yield;
    }
    for (let at = path.pop(); at !== undefined; at = path.pop()) {
      ranks.set(at, ranks.at(parents.at(at)) + STEP);
      yield;
    }
  }

  return {
    of(values) {
      const domainOfRule = dom === NONE ? NO_DOMAIN : values[dom as number];
      const id = names.find(nameIn(domainOfRule, values[sub as number]));
      return id === NONE ? Number.NaN : -ranks.at(id);
    },
  };
}

/** As node-casbin joins the two, and as it writes what is not there. */
function nameIn(domain: string | undefined, name: string | undefined): string {
  return `${domain}::${name}`;
}
