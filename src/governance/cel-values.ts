import type { JsonObject, JsonValue } from '../vocabulary.js';
import type { ConditionInput } from './governance-rule.js';

/**
 * A value as CEL sees it. JSON objects become maps, so that a member named `constructor` is data
 * like any other and nothing is inherited; safe integers become ints (`bigint`), other numbers
 * doubles.
 */
export type CelValue = null | boolean | number | bigint | string | CelValue[] | CelMap;
type CelMap = Map<string, CelValue>;

/** Converts JSON, and keeps the size of the largest list or object in it. */
class Conversion {
  widest = 0;

  of(value: JsonValue): CelValue {
    if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
    if (typeof value !== 'object' || value === null) return value;
    if (isList(value)) {
      this.widest = Math.max(this.widest, value.length);
      return value.map((item) => this.of(item));
    }
    return this.map(value);
  }

  map(value: JsonObject): CelMap {
    const entries = Object.entries(value);
    this.widest = Math.max(this.widest, entries.length);
    return new Map(entries.map(([name, member]) => [name, this.of(member)]));
  }
}

// `Array.isArray` does not narrow readonly arrays.
function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** Base of the three things with properties: converted when first read, by any rule of the check. */
abstract class WithProperties {
  readonly #properties: JsonObject;
  readonly #conversion: Conversion;
  #converted: CelMap | undefined;

  constructor(properties: JsonObject, conversion: Conversion) {
    this.#properties = properties;
    this.#conversion = conversion;
  }

  get properties(): CelMap {
    this.#converted ??= this.#conversion.map(this.#properties);
    return this.#converted;
  }
}

/** `subject` in an expression. */
export class SubjectValue extends WithProperties {
  readonly type: string;
  readonly id: string;

  constructor({ type, id, properties }: ConditionInput['check']['subject'], into: Conversion) {
    super(properties, into);
    this.type = type;
    this.id = id;
  }
}

/** `action` in an expression. */
export class ActionValue extends WithProperties {
  readonly name: string;

  constructor({ name, properties }: ConditionInput['check']['action'], into: Conversion) {
    super(properties, into);
    this.name = name;
  }
}

/** `resource` in an expression. */
export class ResourceValue extends WithProperties {
  readonly type: string;
  readonly id: string;

  constructor({ type, id, properties }: ConditionInput['check']['resource'], into: Conversion) {
    super(properties, into);
    this.type = type;
    this.id = id;
  }
}

/** The variables of one check, converted once for all rules that read them. */
export class CelVariables {
  readonly subject: SubjectValue;
  readonly action: ActionValue;
  readonly resource: ResourceValue;
  readonly tenant: string;
  readonly roles: string[];
  readonly now: Date;
  readonly #input: ConditionInput;
  readonly #conversion = new Conversion();
  #context: CelMap | undefined;

  constructor(input: ConditionInput) {
    const { check, roles, now } = input;
    this.#input = input;
    this.subject = new SubjectValue(check.subject, this.#conversion);
    this.action = new ActionValue(check.action, this.#conversion);
    this.resource = new ResourceValue(check.resource, this.#conversion);
    this.tenant = check.tenant;
    this.roles = [...roles];
    this.now = new Date(now);
  }

  get context(): CelMap {
    this.#context ??= this.#conversion.map(this.#input.check.context);
    return this.#context;
  }

  /** The size of the largest list or object that an expression can go through. */
  get widest(): number {
    for (const part of [this.subject, this.action, this.resource]) void part.properties;
    void this.context;
    return Math.max(this.#conversion.widest, this.roles.length);
  }
}
