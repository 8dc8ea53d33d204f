import { checkExpression } from './check-expression.js';
import type { Expression } from './expression.js';
import { parseExpression } from './parse-expression.js';
import type { ModelEntry, ModelFault } from './model-file.js';
import type { ModelDefinitions, ModelOptions } from './definitions.js';
import type { NamedFunctions } from './named-functions.js';
import { parseEffect, type PolicyEffect } from './policy-effect.js';
import { pathOf, shapeOf, type RequestToken } from './request-token.js';
import { matcherFaults, matcherWarnings } from './matcher-faults.js';

const SECTIONS: ReadonlyMap<string, string> = new Map([
  ['request_definition', 'r'],
  ['policy_definition', 'p'],
  ['policy_effect', 'e'],
  ['matchers', 'm'],
]);
const ROLES = 'role_definition';
/** Functions that may match the names of roles. */
const ROLE_MATCHERS = [
  'keyMatch',
  'keyMatch2',
  'keyMatch3',
  'keyMatch4',
  'keyMatch5',
  'regexMatch',
  'globMatch',
];

/** Definitions, only without a fault; and what is not wrong, but seldom meant. */
export interface DefinitionsReading {
  readonly definitions?: ModelDefinitions;
  readonly faults: readonly ModelFault[];
  readonly warnings: readonly ModelFault[];
}

/**
 * Makes definitions of a model's entries. Whatever node-casbin would pass over or misread is a fault;
 * `definitions` is there only without one.
 */
export function readDefinitions(
  entries: readonly ModelEntry[],
  options: ModelOptions,
  functions: NamedFunctions,
): DefinitionsReading {
  return new DefinitionReader(entries, options, functions).read();
}

class DefinitionReader {
  readonly #entries: readonly ModelEntry[];
  readonly #options: ModelOptions;
  readonly #functions: NamedFunctions;
  readonly #faults: ModelFault[] = [];

  constructor(entries: readonly ModelEntry[], options: ModelOptions, functions: NamedFunctions) {
    this.#entries = entries;
    this.#options = options;
    this.#functions = functions;
  }

  read(): DefinitionsReading {
    this.#entries.forEach((entry) => this.#checkKey(entry));
    const requestTokens = this.#requestTokens(this.#only('request_definition'));
    const policyTokens = [...this.#tokens(this.#only('policy_definition')).keys()];
    const roleTypes = this.#roleTypes();
    const rolePatterns = this.#rolePatterns(roleTypes);
    const effect = this.#effect(this.#only('policy_effect'));
    const matcher = this.#only('matchers');
    const names = {
      requestTokens,
      policyTokens,
      roleTypes,
      rolePatterns,
      functions: this.#functions,
    };
    const expression = matcher && this.#matcher(matcher, names);
    if (matcher && expression && effect) {
      const definitions = { ...names, effect, matcher: expression, matcherText: matcher.value };
      for (const { at, message } of matcherFaults(definitions)) {
        this.#fault(matcher, message, at);
      }
      const warnings = matcherWarnings(definitions).map(({ at, message }) => ({
        ...matcher.locate(at),
        message,
      }));
      return { definitions, faults: this.#faults, warnings };
    }
    return { faults: this.#faults, warnings: [] };
  }

  #checkKey(entry: ModelEntry): void {
    const { section, key } = entry;
    const expected = SECTIONS.get(section);
    if (expected === undefined && section !== ROLES) {
      const known = [...SECTIONS.keys(), ROLES].map((name) => `\`[${name}]\``).join(', ');
      this.#fault(entry, `the section \`[${section}]\` is not known; there are ${known}`);
    } else if (expected !== undefined && key !== expected) {
      this.#fault(
        entry,
        new RegExp(`^${expected}[0-9]+$`).test(key)
          ? `\`${key}\`: several sections at once are not supported; keep one \`${expected}\` in \`[${section}]\`, or split the model`
          : `\`${key}\` is not known in \`[${section}]\`; write \`${expected} = …\``,
      );
    }
  }

  #only(section: string): ModelEntry | undefined {
    const key = SECTIONS.get(section) ?? '';
    const entry = this.#entries.find((one) => one.section === section && one.key === key);
    if (!entry) {
      this.#faultAtStart(`the model has no \`[${section}]\` with \`${key} = …\``);
    } else if (entry.value === '') {
      this.#fault(entry, `\`${key}\` is empty`);
      return undefined;
    }
    return entry;
  }

  /** The tokens of a definition, each with its offset in the text. */
  #tokens(entry: ModelEntry | undefined): ReadonlyMap<string, number> {
    if (!entry) {
      return new Map();
    }
    let offset = 0;
    const tokens = new Map<string, number>();
    for (const part of entry.value.split(',')) {
      const name = part.trim();
      const at = offset + part.length - part.trimStart().length;
      offset += part.length + 1;
      if (
        !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ||
        /^__proto__$|prototype|constructor/.test(name)
      ) {
        this.#fault(entry, `\`${name}\` is no name for a token; use letters, digits and \`_\``, at);
      } else if (tokens.has(name)) {
        this.#fault(entry, `the token \`${name}\` is given twice`, at);
      }
      tokens.set(name, at);
    }
    return tokens;
  }

  #requestTokens(entry: ModelEntry | undefined): ReadonlyMap<string, RequestToken> {
    const mapping = new Map(Object.entries(this.#options.request ?? {}));
    const tokens = new Map<string, RequestToken>();
    for (const [name, at] of this.#tokens(entry)) {
      const path = pathOf(name, mapping);
      if (entry && path === undefined) {
        this.#fault(
          entry,
          `nothing fills \`r.${name}\`; give its path as \`request: {${name}: …}\`, such as \`resource.properties.${name}\``,
          at,
        );
      } else if (entry && path !== undefined && !shapeOf(path.split('.'))) {
        this.#fault(
          entry,
          `\`${path}\`, given for \`r.${name}\`, is no path of a check; paths start with \`tenant\`, \`subject\`, \`action\`, \`resource\` or \`context\``,
          undefined,
          `/request/${name}`,
        );
      }
      tokens.set(name, { name, path: (path ?? 'context').split('.') });
    }
    for (const name of mapping.keys()) {
      if (!tokens.has(name)) {
        this.#optionFault(
          `/request/${name}`,
          `\`request\` fills \`${name}\`, but the model has no \`r.${name}\``,
        );
      }
    }
    return tokens;
  }

  #roleTypes(): ReadonlyMap<string, 2 | 3> {
    const types = new Map<string, 2 | 3>();
    for (const entry of this.#entries.filter((one) => one.section === ROLES)) {
      const expected = types.size === 0 ? 'g' : `g${types.size + 1}`;
      const fields = entry.value.split(',').map((field) => field.trim());
      if (entry.key !== expected) {
        this.#fault(
          entry,
          `expected \`${expected}\`, found \`${entry.key}\`; role types are \`g\`, \`g2\`, \`g3\` and so on, without a gap`,
        );
      }
      if (fields.some((field) => field !== '_') || (fields.length !== 2 && fields.length !== 3)) {
        this.#fault(
          entry,
          `\`${entry.key}\` must be \`_, _\`, or \`_, _, _\` with the tenant as its third field`,
        );
      }
      types.set(entry.key, fields.length === 3 ? 3 : 2);
    }
    return types;
  }

  #rolePatterns(roleTypes: ReadonlyMap<string, 2 | 3>): ReadonlyMap<string, string> {
    const patterns = new Map(Object.entries(this.#options.rolePatterns ?? {}));
    for (const [type, name] of patterns) {
      if (!roleTypes.has(type)) {
        this.#optionFault(
          `/role_patterns/${type}`,
          `\`role_patterns\` names \`${type}\`, which the model does not define`,
        );
      }
      if (!ROLE_MATCHERS.includes(name)) {
        const known = ROLE_MATCHERS.map((one) => `\`${one}\``).join(', ');
        this.#optionFault(
          `/role_patterns/${type}`,
          `\`role_patterns\` gives \`${name}\` for \`${type}\`; there are ${known}`,
        );
      }
    }
    return patterns;
  }

  #effect(entry: ModelEntry | undefined): PolicyEffect | undefined {
    const parsed = entry && parseEffect(entry.value);
    if (entry && parsed && 'fault' in parsed) {
      this.#fault(entry, parsed.fault, 0);
    }
    return parsed && 'effect' in parsed ? parsed.effect : undefined;
  }

  #matcher(
    entry: ModelEntry,
    names: Omit<ModelDefinitions, 'effect' | 'matcher' | 'matcherText'>,
  ): Expression | undefined {
    const parsed = parseExpression(entry.value, 'matcher');
    if ('fault' in parsed) {
      this.#fault(entry, parsed.fault.message, parsed.fault.at);
      return undefined;
    }
    const faults = checkExpression(parsed.expression, { ...names, place: 'matcher' });
    faults.forEach(({ at, message }) => this.#fault(entry, message, at));
    return faults.length === 0 ? parsed.expression : undefined;
  }

  #fault(entry: ModelEntry, message: string, offset?: number, option?: string): void {
    const place = entry.locate(offset);
    this.#faults.push({ ...place, message, ...(option === undefined ? {} : { option }) });
  }

  #optionFault(option: string, message: string): void {
    this.#faults.push({ line: 1, column: 1, message, option });
  }

  #faultAtStart(message: string): void {
    this.#faults.push({ line: 1, column: 1, message });
  }
}
