import type { ErrorObject } from 'ajv/dist/2020.js';
import type { FieldFault } from '../errors.js';
import {
  compileSchema as compileCheck,
  JSON_WORDS,
  messageOf,
  ofFittingBranches,
} from './schema-faults.js';
import { pointerTo } from './yaml.js';

/** Faults told of one body; more would only repeat them. */
const MAX_FAULTS = 50;

/** Errors looked at to find them; several may speak of one fault. */
const MAX_ERRORS = 1_000;

/**
 * Readies the JSON Schema of a request. What comes back names everything that keeps a value
 * from it, each with the JSON pointer of its place; empty where the value is valid.
 */
export function compileSchema(schema: object): (value: unknown) => FieldFault[] {
  const errorsOf = compileCheck(schema);
  return (value) => {
    // Cut before anything is made of them: a hostile body breaks its schema a hundred thousand times.
    const errors = errorsOf(value);
    if (errors.length === 0) return [];
    return ofFittingBranches(errors.slice(0, MAX_ERRORS))
      .slice(0, MAX_FAULTS)
      .map((error) => ({ path: pathOf(error), message: messageOf(error, JSON_WORDS) }));
  };
}

/** The place of the fault; for a member that is missing or unknown, where it would be or is. */
function pathOf({ instancePath, params }: ErrorObject): string {
  const member: unknown = params['missingProperty'] ?? params['additionalProperty'];
  return typeof member === 'string' ? pointerTo(instancePath, member) : instancePath;
}
