import {
  type ASTNode,
  EvaluationError,
  ParseError,
  TypeError as CelTypeError,
} from '@marcbachmann/cel-js';
import { environment, startBudget } from './cel-functions.js';
import { survey } from './cel-references.js';
import { durationOf, timestampOf } from './cel-time.js';
import { CelVariables } from './cel-values.js';
import type { Condition, ConditionInput, ConditionReferences } from './governance-rule.js';
import { compilePattern } from './linear-regex.js';
import { timeZoneFault } from './wall-clock.js';

/** What is wrong with an expression; `offset` counts UTF-16 code units from its start. */
export interface ConditionFault {
  readonly offset: number;
  readonly message: string;
}

const MAX_LENGTH = 2_000;
/** Steps that the macros of one expression may take for one check. */
const MAX_STEPS = 1_000_000;
/** Deepest that macros may lie in each other. */
const MAX_LOOPS = 3;

/**
 * Compiles a CEL expression: syntax, names, types, and the literals that functions are given are
 * checked here, once. The condition never throws and never runs for long: what cannot be evaluated
 * is `failed`.
 *
 * @example
 * const compiled = compileCondition('resource.properties.environment == "prod"');
 * if (!('faults' in compiled)) compiled.references.resource; // ['environment']
 */
export function compileCondition(
  source: string,
): Condition | { readonly faults: readonly ConditionFault[] } {
  if (source.length > MAX_LENGTH) {
    const message = `the expression has ${source.length} characters; at most ${MAX_LENGTH} are taken`;
    return { faults: [{ offset: 0, message }] };
  }
  try {
    const program = environment.parse(source);
    const { references, loops, faults } = survey(program.ast);
    const found = [...faults, ...literalFaults(program.ast)];
    if (loops > MAX_LOOPS) {
      found.push({ offset: 0, message: `macros lie over ${MAX_LOOPS} deep in each other` });
    }
    if (found.length > 0) return { faults: found };
    const { type, error } = program.check();
    if (error) return { faults: [faultOf(error)] };
    if (type !== 'bool' && type !== 'dyn') {
      const message = `expected a condition, true or false; this gives \`${String(type)}\``;
      return { faults: [{ offset: 0, message }] };
    }
    return {
      source,
      references,
      evaluate: (input) => evaluate(program, loops, variablesOf(input, references)),
    };
  } catch (error) {
    return { faults: [faultOf(error)] };
  }
}

/** Those of the check that was asked about last: its rules are asked one right after the other. */
let latest: CelVariables | undefined;

function variablesOf(input: ConditionInput, references: ConditionReferences): CelVariables {
  if (latest?.input !== input) latest = new CelVariables(input, references);
  return latest.naming(references);
}

function evaluate(
  program: (variables: CelVariables) => unknown,
  loops: number,
  variables: CelVariables,
): { readonly value: boolean } | { readonly failed: string } {
  const { stackTraceLimit } = Error;
  // Nobody sees the stacks of errors in expressions, and they cost more than all the rest.
  Error.stackTraceLimit = 0;
  try {
    if (loops > 0 && Math.max(variables.widest, 1) ** loops > MAX_STEPS) {
      return { failed: 'the lists are too long to go through' };
    }
    startBudget();
    const value = program(variables);
    if (typeof value === 'boolean') return { value };
    return { failed: 'the expression gives neither true nor false' };
  } catch (error) {
    return { failed: faultOf(error).message };
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function faultOf(error: unknown): ConditionFault {
  if (
    error instanceof ParseError ||
    error instanceof EvaluationError ||
    error instanceof CelTypeError
  ) {
    return { offset: error.range?.start ?? 0, message: houseStyle(error.summary) };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { offset: 0, message: houseStyle(message) };
}

/** The library's sentences with our functions' plain names, its quotes and capitals as ours. */
function houseStyle(message: string): string {
  const plain = message
    .replace(/\bx_/g, '')
    .replace(/google\.protobuf\.(\w+)/g, (_, name: string) => name.toLowerCase())
    .replace(/^No such key: (.*)$/s, '`$1` is absent')
    .replaceAll("'", '`');
  return plain.charAt(0).toLowerCase() + plain.slice(1);
}

/** Literals that are wrong whatever the check: a rule with one would fail closed for ever. */
function literalFaults(node: ASTNode): ConditionFault[] {
  const faults = childFaults(node);
  const call = callOf(node);
  if (call === undefined) return faults;
  const [name, literal, anchor] = call;
  if (name === 'x_matches' && literal === undefined) {
    faults.push({
      offset: anchor.start,
      message: 'expected the pattern of `matches` as a literal',
    });
  }
  const message = literal === undefined ? undefined : literalFault(name, literal);
  if (message !== undefined) faults.push({ offset: anchor.start, message });
  return faults;
}

function childFaults(node: ASTNode): ConditionFault[] {
  const visit = (args: unknown): ConditionFault[] => {
    if (Array.isArray(args)) return args.flatMap(visit);
    if (typeof args !== 'object' || args === null || !('op' in args)) return [];
    return literalFaults(args as ASTNode);
  };
  return visit(node.args);
}

/** A call's name and its last argument, where that is what the function reads. */
function callOf(
  node: ASTNode,
): [name: string, literal: string | undefined, at: ASTNode] | undefined {
  if (node.op !== 'call' && node.op !== 'rcall') return undefined;
  const name = node.args[0];
  const last = (node.op === 'call' ? node.args[1] : node.args[2]).at(-1);
  if (last === undefined) return undefined;
  const literal = last.op === 'value' && typeof last.args === 'string' ? last.args : undefined;
  return [name, literal, last];
}

function literalFault(name: string, literal: string): string | undefined {
  try {
    if (name === 'x_matches') {
      const compiled = compilePattern(literal);
      return 'fault' in compiled ? compiled.fault : undefined;
    }
    if (name === 'x_timestamp') timestampOf(literal);
    else if (name === 'x_duration') durationOf(literal);
    else if (name.startsWith('x_get')) return timeZoneFault(literal);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
