import { shapeOfReference } from '../check-expression.js';
import type { SubjectOfCheck } from '../engine.js';
import type { Expression } from '../expression.js';
import type { ModelDefinitions } from '../definitions.js';
import { subOf } from '../sub-of.js';
import type { Frame } from './frame.js';
import type { Term } from './role-relations.js';
import type { SymbolTable } from './symbol-table.js';

type Named = Pick<ModelDefinitions, 'requestTokens'>;

/** Reads the names that role relations are asked for, with their symbols. */
export class TermReader {
  readonly #model: Named;
  readonly #symbols: SymbolTable;
  /** The places of the tokens that hold the subject and the tenant, where the model has them. */
  readonly #sub: number | undefined;
  readonly #tenant: number | undefined;

  constructor(model: Named, symbols: SymbolTable) {
    const paths = [...model.requestTokens.values()].map(({ path }) => path.join('.'));
    const placeOf = (path: string) => (paths.includes(path) ? paths.indexOf(path) : undefined);
    const sub = model.requestTokens.get('sub')?.path.join('.');
    this.#model = model;
    this.#symbols = symbols;
    this.#sub = sub === 'subject.key' ? placeOf(sub) : undefined;
    this.#tenant = placeOf('tenant');
  }

  /** A name as it stands. */
  of(text: string): Term {
    return { text, symbol: this.#symbols.find(text) };
  }

  /** What fills the model's `sub`; undefined where that is no text. A frame of this check saves time. */
  sub(check: SubjectOfCheck, frame: Frame | undefined): Term | undefined {
    if (frame !== undefined && this.#sub !== undefined) return frame.termOf(this.#sub);
    const text = subOf(this.#model, check);
    return text === undefined ? undefined : this.of(text);
  }

  /** The tenant of a check. */
  tenant(text: string, frame: Frame | undefined): Term {
    return frame !== undefined && this.#tenant !== undefined
      ? frame.termOf(this.#tenant)
      : this.of(text);
  }
}

/** Tells the place of a token among the request's, where it is text in every request. */
export function textTokenTest({
  requestTokens,
}: Named): (expression: Expression) => number | undefined {
  const names = [...requestTokens.keys()];
  return (expression) => {
    const isToken =
      expression.kind === 'token' && expression.of === 'r' && expression.members.length === 0;
    if (!isToken || shapeOfReference(expression, requestTokens)?.kind !== 'text') return undefined;
    return names.indexOf(expression.name);
  };
}
