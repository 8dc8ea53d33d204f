import type { ASTNode } from '@marcbachmann/cel-js';
import { closest } from '../platform/closest.js';
import { environment, FUNCTIONS, HAS, MACROS, REPLACED } from './cel-functions.js';
import type { ConditionReferences } from './governance-rule.js';

/** What a walk over an expression finds out, before its types are checked. */
export interface Survey {
  readonly references: ConditionReferences;
  /** How many times one through the other an expression goes through a list: 0 without macros. */
  readonly loops: number;
  readonly faults: readonly { readonly offset: number; readonly message: string }[];
}

/** What an expression may see. */
const VARIABLES = ['subject', 'action', 'resource', 'context', 'tenant', 'roles', 'now'];
/** Names of types, as `type(x)` gives them. */
const TYPES = ['bool', 'double', 'int', 'list', 'map', 'null_type', 'string', 'type', 'uint'];
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  subject: ['type', 'id', 'properties'],
  action: ['name', 'properties'],
  resource: ['type', 'id', 'properties'],
};

/** Operators whose cost grows with what they are given. */
const COMPARING: ReadonlySet<string> = new Set(['in', '==', '!=', '<', '<=', '>', '>=', '+']);

type Root = keyof ConditionReferences;

/**
 * Walks a parsed expression: which members of the check it names, whether it calls only what may be
 * called, how deep its loops lie in each other. Calls of the library's functions that we replace are
 * renamed in place.
 */
export function survey(ast: ASTNode): Survey {
  const walk = new Walk();
  walk.node(ast, new Set());
  return walk;
}

class Walk implements Survey {
  readonly faults: { offset: number; message: string }[] = [];
  loops = 0;
  readonly #named: Record<Root, Set<string> | '*'> = {
    context: new Set(),
    subject: new Set(),
    action: new Set(),
    resource: new Set(),
  };
  #depth = 0;

  get references(): ConditionReferences {
    const listed = (names: Set<string> | '*') => (names === '*' ? names : [...names].sort());
    const { context, subject, action, resource } = this.#named;
    return {
      context: listed(context),
      subject: listed(subject),
      action: listed(action),
      resource: listed(resource),
    };
  }

  /** `bound`: names that a macro has given to the entries that it goes through. */
  node(node: ASTNode, bound: ReadonlySet<string>): void {
    if (this.#path(node, bound)) return;
    if (node.op === 'id') {
      this.#variable(node, node.args, bound);
    } else if (node.op === 'call') {
      const [name, parameters] = node.args;
      this.#function(node, node.args);
      for (const parameter of parameters) this.node(parameter, bound);
      if (name === 'has') this.#presence(node, parameters);
    } else if (node.op === 'rcall') {
      this.#method(node, node.args, bound);
    } else if (COMPARING.has(node.op)) {
      // Inside a macro this may go through two lists or texts for each entry of another.
      const goesThrough = this.#depth > 0 && !childrenOf(node.args).some(isShort);
      this.loops = Math.max(this.loops, this.#depth + (goesThrough ? 1 : 0));
      this.#operands(node, bound);
    } else {
      this.#operands(node, bound);
    }
  }

  #operands(node: ASTNode, bound: ReadonlySet<string>): void {
    for (const child of childrenOf(node.args)) this.node(child, bound);
  }

  #variable(node: ASTNode, name: string, bound: ReadonlySet<string>): void {
    if (bound.has(name)) return;
    if (isRoot(name)) this.#named[name] = '*';
    else if (!VARIABLES.includes(name) && !TYPES.includes(name)) {
      this.#unknown(node, 'variable', name, VARIABLES);
    }
  }

  #function(node: ASTNode, call: [string, ...unknown[]]): void {
    const [name] = call;
    if (!FUNCTIONS.has(name)) this.#unknown(node, 'function', name, [...FUNCTIONS]);
    call[0] = REPLACED.get(name) ?? name;
  }

  #presence(node: ASTNode, [selection, ...others]: readonly ASTNode[]): void {
    if (selection?.op === '.' && others.length === 0) {
      replacePresence(node, ...selection.args);
    } else {
      const message = '`has` takes one member, such as `has(context.ticket)`';
      this.faults.push({ offset: node.start, message });
    }
  }

  #method(node: ASTNode, call: [string, ASTNode, ASTNode[]], bound: ReadonlySet<string>): void {
    const [name, receiver, parameters] = call;
    this.#function(node, call);
    this.node(receiver, bound);
    const [variable, ...bodies] = parameters;
    if (!MACROS.has(name) || variable?.op !== 'id') {
      for (const parameter of parameters) this.node(parameter, bound);
      return;
    }
    const inside = new Set([...bound, variable.args]);
    this.#depth += 1;
    this.loops = Math.max(this.loops, this.#depth);
    for (const body of bodies) this.node(body, inside);
    this.#depth -= 1;
  }

  /** Notes a member that is named by a path from a variable; false where the node is no such path. */
  #path(node: ASTNode, bound: ReadonlySet<string>): boolean {
    const step = stepOf(node);
    if (step === undefined) return false;
    const [base, member] = step;
    if (base.op === 'id' && !bound.has(base.args)) {
      if (base.args === 'context') {
        this.#name('context', member);
        return true;
      }
      const members = MEMBERS[base.args];
      if (members === undefined || !isRoot(base.args)) return false;
      if (!members.includes(member)) this.#unknown(node, `member of ${base.args}`, member, members);
      else if (member === 'properties') this.#named[base.args] = '*';
      return true;
    }
    const outer = stepOf(base);
    if (outer?.[1] === 'properties' && outer[0].op === 'id' && !bound.has(outer[0].args)) {
      const root = outer[0].args;
      if (isRoot(root) && root !== 'context') {
        this.#name(root, member);
        return true;
      }
    }
    return false;
  }

  #name(root: Root, member: string): void {
    const names = this.#named[root];
    if (names !== '*') names.add(member);
  }

  #unknown(node: ASTNode, what: string, name: string, known: readonly string[]): void {
    const near = closest(name, known);
    const hint =
      near === undefined
        ? `; expected one of ${known.map((k) => `\`${k}\``).join(', ')}`
        : `, did you mean \`${near}\`?`;
    this.faults.push({ offset: node.start, message: `unknown ${what} \`${name}\`${hint}` });
  }
}

/** What the library's own macros do to a node, though its types do not tell of it. */
interface Replaceable {
  setMeta(key: 'alternate', replacement: ASTNode): void;
}

/** Has `has(receiver.member)` evaluated as a call of our own, which stands in the same place. */
function replacePresence(node: ASTNode, receiver: ASTNode, member: string): void {
  const source = `${HAS}(null, ${JSON.stringify(member)})`;
  const { ast } = environment.parse(' '.repeat(node.start) + source);
  if (ast.op !== 'call') throw new Error('a call is parsed as a call');
  ast.args[1][0] = receiver;
  (node as ASTNode & Replaceable).setMeta('alternate', ast);
}

/** `a.b` and `a["b"]` are one step from `a` to `b`; an index that is computed is none. */
function stepOf(node: ASTNode): [base: ASTNode, member: string] | undefined {
  if (node.op === '.') return [node.args[0], node.args[1]];
  if (node.op !== '[]') return undefined;
  const [base, index] = node.args;
  return index.op === 'value' && typeof index.args === 'string' ? [base, index.args] : undefined;
}

/** Whether an operand is as short as the expression, or as an id. */
function isShort(node: ASTNode): boolean {
  if (node.op === '-_') return isShort(node.args);
  if (node.op === 'value' || node.op === 'list' || node.op === 'map') return true;
  if (node.op === 'id') return node.args === 'tenant' || node.args === 'now';
  return node.op === '.' && node.args[0].op === 'id' && node.args[1] !== 'properties'
    ? Object.hasOwn(MEMBERS, node.args[0].args)
    : false;
}

function isRoot(name: string): name is Root {
  return name === 'context' || name === 'subject' || name === 'action' || name === 'resource';
}

function childrenOf(args: unknown): ASTNode[] {
  if (isNode(args)) return [args];
  return Array.isArray(args) ? args.flatMap(childrenOf) : [];
}

function isNode(value: unknown): value is ASTNode {
  return typeof value === 'object' && value !== null && 'op' in value && 'start' in value;
}
