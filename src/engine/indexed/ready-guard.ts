import type { Expression } from '../expression.js';
import type { NamedFunctions } from '../named-functions.js';
import type { Frame } from './frame.js';
import type { Guard } from './index-plan.js';
import type { Evaluate } from './interpreter.js';

/** A guard, ready to be asked; it throws where its expression does. */
export type ReadyGuard = (frame: Frame) => Verdict;

/** `none match`: the matcher is `false` for every rule. */
export type Verdict = 'passed' | 'failed' | 'none match';

/** Makes guards ready. */
export type PrepareGuard = (guard: Guard) => ReadyGuard;

/** A pattern that each choosy function takes: with it, only the text can be refused. */
const PATTERNS: Readonly<Record<string, string>> = { ipMatch: '0.0.0.0/0', globMatch: '*' };

/** Makes guards ready with what compiles their expressions. */
export function guardMaker(
  compile: (expression: Expression) => Evaluate,
  functions: NamedFunctions,
): PrepareGuard {
  return (guard) => {
    switch (guard.kind) {
      case 'scalar': {
        const read = compile(guard.value);
        return (frame) => verdict(isScalar(read(frame)));
      }
      case 'accepted': {
        const read = compile(guard.value);
        const call = functions.get(guard.function)?.call;
        const pattern = PATTERNS[guard.function];
        return (frame) => {
          call?.(read(frame), pattern);
          return 'passed';
        };
      }
      case 'true': {
        const test = compile(guard.test);
        return (frame) => {
          const value = test(frame);
          return value === false ? 'none match' : verdict(Boolean(value));
        };
      }
      case 'false': {
        const test = compile(guard.test);
        return (frame) => verdict(test(frame) === false);
      }
    }
  };
}

/** Whether all guards hold. One that throws fails: evaluating the rules then tells what is wrong. */
export function passes(guards: readonly ReadyGuard[], frame: Frame): Verdict {
  try {
    for (const guard of guards) {
      const found = guard(frame);
      if (found !== 'passed') return found;
    }
    return 'passed';
  } catch {
    return 'failed';
  }
}

function isScalar(value: unknown): boolean {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}

function verdict(passed: boolean): Verdict {
  return passed ? 'passed' : 'failed';
}
