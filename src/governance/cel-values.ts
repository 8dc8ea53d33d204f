import type { JsonObject, JsonValue } from '../vocabulary.js';
import type { ConditionInput, ConditionReferences } from './governance-rule.js';

/**
 * A value as CEL sees it. JSON objects become maps, so that a member named `constructor` is data
 * like any other and nothing is inherited; safe integers become ints (`bigint`), other numbers
 * doubles.
 */
export type CelValue = null | boolean | number | bigint | string | CelValue[] | CelMap;
type CelMap = Map<string, CelValue>;

function celValueOf(value: JsonValue): CelValue {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value !== 'object' || value === null) return value;
  return isList(value) ? value.map(celValueOf) : celMapOf(value);
}

function celMapOf(value: JsonObject): CelMap {
  return new Map(Object.entries(value).map(([name, member]) => [name, celValueOf(member)]));
}

// `Array.isArray` does not narrow readonly arrays.
function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** The size of the largest list or object in a value. */
function widthOf(value: JsonValue): number {
  if (typeof value !== 'object' || value === null) return 0;
  const members = isList(value) ? value : Object.values(value);
  return members.reduce<number>((most, one) => Math.max(most, widthOf(one)), members.length);
}

/** What an expression names of one object: see `ConditionReferences`. */
type Names = readonly string[] | '*';

/** A JSON object as a map that holds, of its members, those that expressions name. */
class NamedMembers {
  readonly #source: JsonObject;
  #converted: CelMap = new Map();
  #isWhole = false;

  constructor(source: JsonObject) {
    this.#source = source;
  }

  /** The map for an expression that names these members; it may hold some of other expressions too. */
  named(names: Names): CelMap {
    if (this.#isWhole) return this.#converted;
    if (names === '*') {
      this.#converted = celMapOf(this.#source);
      this.#isWhole = true;
      return this.#converted;
    }
    for (const name of names) this.#convert(name);
    return this.#converted;
  }

  #convert(name: string): void {
    if (this.#converted.has(name) || !Object.hasOwn(this.#source, name)) return;
    const value = this.#source[name];
    if (value !== undefined) this.#converted.set(name, celValueOf(value));
  }
}

/** Base of the three things with properties. */
abstract class WithProperties {
  readonly #members: NamedMembers;
  readonly #names: () => Names;

  constructor(properties: JsonObject, names: () => Names) {
    this.#members = new NamedMembers(properties);
    this.#names = names;
  }

  get properties(): CelMap {
    return this.#members.named(this.#names());
  }
}

/** `subject` in an expression. */
export class SubjectValue extends WithProperties {
  readonly type: string;
  readonly id: string;

  constructor({ type, id, properties }: ConditionInput['check']['subject'], names: () => Names) {
    super(properties, names);
    this.type = type;
    this.id = id;
  }
}

/** `action` in an expression. */
export class ActionValue extends WithProperties {
  readonly name: string;

  constructor({ name, properties }: ConditionInput['check']['action'], names: () => Names) {
    super(properties, names);
    this.name = name;
  }
}

/** `resource` in an expression. */
export class ResourceValue extends WithProperties {
  readonly type: string;
  readonly id: string;

  constructor({ type, id, properties }: ConditionInput['check']['resource'], names: () => Names) {
    super(properties, names);
    this.type = type;
    this.id = id;
  }
}

/**
 * The variables of one check, for all expressions that are asked about it: each is made when it is
 * first read, and of properties and context no more is converted than expressions name.
 */
export class CelVariables {
  /** What the check was asked with. */
  readonly input: ConditionInput;
  readonly tenant: string;
  readonly roles: readonly string[];
  #references: ConditionReferences;
  #subject: SubjectValue | undefined;
  #action: ActionValue | undefined;
  #resource: ResourceValue | undefined;
  #context: NamedMembers | undefined;
  #now: Date | undefined;
  #widest: number | undefined;

  constructor(input: ConditionInput, references: ConditionReferences) {
    this.input = input;
    this.tenant = input.check.tenant;
    this.roles = input.roles;
    this.#references = references;
  }

  /** The same variables for an expression that names other members. */
  naming(references: ConditionReferences): this {
    this.#references = references;
    return this;
  }

  get subject(): SubjectValue {
    this.#subject ??= new SubjectValue(this.input.check.subject, () => this.#references.subject);
    return this.#subject;
  }

  get action(): ActionValue {
    this.#action ??= new ActionValue(this.input.check.action, () => this.#references.action);
    return this.#action;
  }

  get resource(): ResourceValue {
    this.#resource ??= new ResourceValue(
      this.input.check.resource,
      () => this.#references.resource,
    );
    return this.#resource;
  }

  get context(): CelMap {
    this.#context ??= new NamedMembers(this.input.check.context);
    return this.#context.named(this.#references.context);
  }

  get now(): Date {
    this.#now ??= new Date(this.input.now);
    return this.#now;
  }

  /** The size of the largest list or object that an expression can go through. */
  get widest(): number {
    const { subject, action, resource, context } = this.input.check;
    this.#widest ??= Math.max(
      widthOf(subject.properties),
      widthOf(action.properties),
      widthOf(resource.properties),
      widthOf(context),
      this.roles.length,
    );
    return this.#widest;
  }
}
