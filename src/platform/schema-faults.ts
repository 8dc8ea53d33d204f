import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import { closest } from './closest.js';
import type { Work } from './turns.js';
import { memberOf } from './written-member.js';
import { type Position, pointerTo, type YamlDocument, type YamlFault } from './yaml.js';

/** Tells what keeps a value from a schema; nothing where the value is valid. */
export type SchemaCheck = (value: unknown) => readonly ErrorObject[];

/**
 * Readies a JSON Schema for `schemaFaults`. `patternErrorMessage` beside a `pattern`, a `oneOf` or
 * an `anyOf` says what was expected (editors show the same sentence); `discriminator` picks the one
 * branch of a `oneOf` whose faults are told.
 *
 * It is compiled at its first use: a program that needs few of its schemas starts faster.
 */
export function compileSchema(schema: object): SchemaCheck {
  let validate: ValidateFunction | undefined;
  const compiled = () => {
    validate ??= sharedAjv().compile(schema);
    return validate;
  };
  readied.push(compiled);
  return (value) => {
    const check = compiled();
    return check(value) ? [] : (check.errors ?? []);
  };
}

/** Those of this program, compiled or not. */
const readied: (() => ValidateFunction)[] = [];

/** Compiles all schemas that were readied, for a program that had better not pause at a first use. */
export function* compilingSchemas(): Work<void> {
  for (const compiled of readied.splice(0)) {
    compiled();
    yield;
  }
}

/** One for all schemas: making one costs more than compiling most schemas. */
function sharedAjv(): Ajv2020 {
  ajv ??= new Ajv2020({
    allErrors: true,
    verbose: true,
    discriminator: true,
    strict: false,
    // The schemas are our own; tests hold them against the meta-schema.
    validateSchema: false,
    // Ids name schemas for editors; two schemas that are made from one another may share theirs.
    addUsedSchema: false,
  });
  return ajv;
}

let ajv: Ajv2020 | undefined;

/**
 * Everything that keeps a YAML document from its schema, each with its place and a sentence for
 * people: ``unknown member `coment`, did you mean `comment`?`` Values of which a fault was told when
 * they were read are passed over: the schema may be held against something else than was meant.
 */
export function schemaFaults(check: SchemaCheck, document: YamlDocument): YamlFault[] {
  const value = document.value === undefined ? null : document.value;
  const errors = check(value);
  if (errors.length === 0) return [];
  const faults = ofFittingBranches(errors).flatMap((error) => {
    const place = placeOf(error, document);
    return place === undefined ? [] : [{ ...place, message: messageOf(error) }];
  });
  return [...new Map(faults.map((fault) => [JSON.stringify(fault), fault])).values()];
}

/** The schema of a document whose length is in one list, a member of it. */
export interface ListSchema {
  readonly check: SchemaCheck;
  /** The member that is the list. */
  readonly list: string;
  readonly checkItem: SchemaCheck;
}

/** `schemaFaults` of a document that may be long; pauses after each item of its list. */
export function* listFaults(
  { check, list, checkItem }: ListSchema,
  document: YamlDocument,
): Work<YamlFault[]> {
  const items = listIn(document, list);
  if (items.length === 0) return schemaFaults(check, document);
  const rest = { ...Object(document.value), [list]: [] };
  const faults = schemaFaults(check, { ...document, value: rest });
  for (const [index, item] of items.entries()) {
    yield;
    const part = partOf(document, pointerTo(pointerTo('', list), index), item);
    for (const fault of schemaFaults(checkItem, part)) faults.push(fault);
  }
  return faults;
}

/** The items of a list that is a member of a document; none where it is none. */
export function listIn({ value }: YamlDocument, list: string): readonly unknown[] {
  const items = memberOf(value, list);
  return Array.isArray(items) ? items : [];
}

/** A value of a document as a document of its own. */
function partOf(document: YamlDocument, root: string, value: unknown): YamlDocument {
  return {
    // A document without a value is no value of another.
    value: value ?? null,
    isFlawed: (pointer) => document.isFlawed(root + pointer),
    at: (pointer) => document.at(root + pointer),
    keyAt: (pointer) => document.keyAt(root + pointer),
    within: (pointer, offset) => document.within(root + pointer, offset),
  };
}

function placeOf(error: ErrorObject, document: YamlDocument): Position | undefined {
  const { instancePath, params } = error;
  const member: unknown = params['additionalProperty'] ?? params['propertyName'];
  if (typeof member === 'string') return document.keyAt(pointerTo(instancePath, member));
  const tag: unknown = error.keyword === 'discriminator' ? params['tag'] : undefined;
  const isTagWrong = typeof tag === 'string' && params['tagValue'] !== undefined;
  const pointer = isTagWrong ? pointerTo(instancePath, tag) : instancePath;
  return document.isFlawed(pointer) ? undefined : document.at(pointer);
}

/**
 * Where a value fits none of several shapes, ajv tells what is wrong with it under each. Kept are the
 * faults of the branch whose type the value has; where there is none, one fault for all branches.
 */
export function ofFittingBranches(errors: readonly ErrorObject[]): ErrorObject[] {
  const dropped = new Set<ErrorObject>();
  errors.forEach((choice, index) => {
    if (choice.keyword !== 'anyOf' && choice.keyword !== 'oneOf') return;
    const branches = branchesOf(choice, errors, index);
    const fitting = branches.find((inside) => !inside.some(isOfAnotherType(choice)));
    for (const inside of branches) {
      if (inside !== fitting) for (const error of inside) dropped.add(error);
    }
    if (fitting) dropped.add(choice);
  });
  const tags = new Map(
    errors
      .filter(({ keyword }) => keyword === 'discriminator')
      .map(({ instancePath, params }): [string, unknown] => [instancePath, params['tag']]),
  );
  for (const error of errors) {
    const missing: unknown = error.params['missingProperty'];
    if (missing !== undefined && tags.get(error.instancePath) === missing) dropped.add(error);
  }
  // An `if`, a `propertyNames` and the like only say that a part failed; the part has its own fault.
  return errors.filter((error) => !dropped.has(error) && !OUTER.has(error.keyword));
}

/** The errors of each branch. Ajv tells them right before the choice itself. */
function branchesOf(
  choice: ErrorObject,
  errors: readonly ErrorObject[],
  index: number,
): ErrorObject[][] {
  const branches = new Map<string, ErrorObject[]>();
  for (let before = index - 1; before >= 0; before -= 1) {
    const error = errors[before];
    const branch = error && branchOf(choice, error);
    if (error === undefined || branch === undefined) break;
    const inside = branches.get(branch);
    if (inside) inside.push(error);
    else branches.set(branch, [error]);
  }
  return [...branches.values()].reverse();
}

const OUTER = new Set(['if', 'propertyNames', 'not']);

function branchOf(choice: ErrorObject, error: ErrorObject): string | undefined {
  const inside = `${choice.schemaPath}/`;
  if (!error.schemaPath.startsWith(inside)) return undefined;
  if (!`${error.instancePath}/`.startsWith(`${choice.instancePath}/`)) return undefined;
  return error.schemaPath.slice(inside.length).split('/')[0];
}

function isOfAnotherType(choice: ErrorObject): (error: ErrorObject) => boolean {
  return (error) =>
    error.instancePath === choice.instancePath && ['type', 'const', 'enum'].includes(error.keyword);
}

/** What the types of JSON Schema are called in a sentence. */
export type TypeWords = Readonly<Record<string, string>>;

const COMMON_WORDS = {
  string: 'a string',
  number: 'a number',
  integer: 'a whole number',
  boolean: '`true` or `false`',
};

/** As authors of YAML speak. */
export const YAML_WORDS: TypeWords = {
  ...COMMON_WORDS,
  object: 'a mapping',
  array: 'a list',
  null: 'nothing',
};

/** As callers of the API speak. */
export const JSON_WORDS: TypeWords = {
  ...COMMON_WORDS,
  object: 'an object',
  array: 'an array',
  null: '`null`',
};

/** One ajv error as a sentence for people. Needs `verbose`. */
export function messageOf(error: ErrorObject, words: TypeWords = YAML_WORDS): string {
  const { keyword, params, data } = error;
  const schema: Record<string, unknown> = error.parentSchema ?? {};
  const expected: unknown = schema['patternErrorMessage'];
  if (typeof expected === 'string' && ['pattern', 'anyOf', 'oneOf', 'format'].includes(keyword)) {
    return `${expected}, found ${shown(data, words)}`;
  }
  const limit = String(params['limit']);
  switch (keyword) {
    case 'additionalProperties':
      return unknownMember(String(params['additionalProperty']), schema);
    case 'required':
      return `the member \`${String(params['missingProperty'])}\` is missing`;
    case 'type':
      return `expected ${typeName(params['type'], words)}, found ${shown(data, words)}`;
    case 'enum':
      return expectedOneOf(params['allowedValues'], data, words);
    case 'const':
      return expectedOneOf([params['allowedValue']], data, words);
    case 'anyOf':
    case 'oneOf':
      return expectedBranch(schema[keyword], data, words);
    case 'discriminator':
      return expectedTag(schema, String(params['tag']), params['tagValue'], words);
    case 'minItems':
    case 'minProperties':
      return `expected at least ${limit === '1' ? 'one entry' : `${limit} entries`}; add one or remove it`;
    case 'maxItems':
    case 'maxProperties':
      return `expected at most ${limit} entries`;
    case 'minLength':
      return limit === '1'
        ? 'expected a text that is not empty'
        : `expected at least ${limit} characters`;
    case 'maxLength':
      return `expected at most ${limit} characters`;
    case 'minimum':
      return `expected at least \`${limit}\`, found ${shown(data, words)}`;
    case 'maximum':
      return `expected at most \`${limit}\`, found ${shown(data, words)}`;
    case 'uniqueItems':
      return 'an entry is given twice; remove one';
    default:
      return `${shown(data, words)} ${error.message ?? 'is not as expected'}`;
  }
}

function unknownMember(name: string, schema: Record<string, unknown>): string {
  const known = Object.keys(isObject(schema['properties']) ? schema['properties'] : {});
  const near = closest(name, known);
  if (near !== undefined) return `unknown member \`${name}\`, did you mean \`${near}\`?`;
  if (known.length === 0) return `unknown member \`${name}\`; remove it`;
  return `unknown member \`${name}\`; expected one of ${listed(known)}`;
}

function expectedOneOf(values: unknown, found: unknown, words: TypeWords): string {
  const allowed = (Array.isArray(values) ? values : []).map(String);
  if (typeof found === 'string') {
    const near = closest(found, allowed);
    if (near !== undefined) return `unknown value \`${found}\`, did you mean \`${near}\`?`;
  }
  const choice = allowed.length === 1 ? listed(allowed) : `one of ${listed(allowed)}`;
  return `expected ${choice}${found === undefined ? '' : `, found ${shown(found, words)}`}`;
}

/** What a value of none of several shapes should have been: one of their constants, or their types. */
function expectedBranch(branches: unknown, found: unknown, words: TypeWords): string {
  const shapes = (Array.isArray(branches) ? branches : []).filter(isObject);
  if (shapes.every((shape) => 'const' in shape)) {
    return expectedOneOf(
      shapes.map((shape) => shape['const']),
      found,
      words,
    );
  }
  const types = [...new Set(shapes.flatMap((shape) => shape['type'] ?? []))];
  return `expected ${typeName(types, words)}, found ${shown(found, words)}`;
}

function expectedTag(
  schema: Record<string, unknown>,
  tag: string,
  found: unknown,
  words: TypeWords,
): string {
  const expected = expectedOneOf(tagsOf(schema, tag), found, words);
  return found === undefined ? `the member \`${tag}\` is missing; ${expected}` : expected;
}

function tagsOf(schema: Record<string, unknown>, tag: string): unknown[] {
  const branches = Array.isArray(schema['oneOf']) ? schema['oneOf'] : [];
  return branches.map((branch: unknown) => {
    const properties = isObject(branch) ? branch['properties'] : undefined;
    const property = isObject(properties) ? properties[tag] : undefined;
    return isObject(property) ? property['const'] : undefined;
  });
}

function typeName(type: unknown, words: TypeWords): string {
  const types = Array.isArray(type) ? type.map(String) : String(type).split(',');
  return types.map((name) => words[name] ?? name).join(' or ');
}

function shown(value: unknown, words: TypeWords): string {
  if (value === null || value === undefined) return words['null'] ?? 'null';
  if (Array.isArray(value)) return words['array'] ?? 'array';
  if (typeof value === 'object') return words['object'] ?? 'object';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return `\`${text.length > 60 ? `${text.slice(0, 60)}…` : text}\``;
}

function listed(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
