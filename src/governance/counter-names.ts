import { sha256Hex } from '../platform/json.js';
import type { Check } from '../vocabulary.js';
import type { Limit, RateLimitRule } from './governance-rule.js';

/** Names held at most; then all are forgotten. */
const MAX_HELD = 32_768;

/** Characters of a name at most: ids come from requests, and a counter is held as long as it counts. */
const MAX_NAME = 512;

type ById = Map<string, string>;
type ByType = Map<string, ById>;
type ByTenant = Map<string, ByType>;

/**
 * Names the counters of limits. A name that was asked for lately is held: to put the text together, and
 * to find a counter by a text that was never seen before, costs more than to count.
 */
export class CounterNames {
  readonly #held = new Map<Limit, ByTenant>();
  #size = 0;

  /** How many names are held. */
  get size(): number {
    return this.#size;
  }

  /** The name of the counter of a limit, one of the rule's, for a check. */
  nameOf(rule: RateLimitRule, limit: Limit, check: Check): string {
    const { key } = rule.rate;
    if (key === 'tenant') return this.#named(rule, limit, check.tenant, '', '');
    const { type, id } = key === 'subject' ? check.subject : check.resource;
    return this.#named(rule, limit, check.tenant, type, id);
  }

  #named(rule: RateLimitRule, limit: Limit, tenant: string, type: string, id: string): string {
    const known = this.#held.get(limit)?.get(tenant)?.get(type)?.get(id);
    if (known !== undefined) return known;
    const name = nameFor(rule, limit, tenant, type, id);
    if (type.length + id.length > MAX_NAME) return name;
    if (this.#size >= MAX_HELD) {
      this.#held.clear();
      this.#size = 0;
    }
    const ofLimit = opened(this.#held, limit, (): ByTenant => new Map());
    const ofTenant = opened(ofLimit, tenant, (): ByType => new Map());
    opened(ofTenant, type, (): ById => new Map()).set(id, name);
    this.#size += 1;
    return name;
  }
}

/**
 * The lines before the last hold no newline, so that no id can be made to look like two. A long name goes
 * by its hash, in one line.
 */
function nameFor(rule: RateLimitRule, { per }: Limit, tenant: string, type: string, id: string) {
  const { key } = rule.rate;
  const start = `${rule.id}\n${per}\n${tenant}\n${key}`;
  const name = key === 'tenant' ? start : `${start}\n${type}\n${id}`;
  return name.length > MAX_NAME ? sha256Hex(name) : name;
}

function opened<Key, Content>(map: Map<Key, Content>, key: Key, make: () => Content): Content {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
