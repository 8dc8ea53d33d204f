import { LRUCache } from 'lru-cache';
import { parsePlainObject } from '../platform/json.js';
import type { Snapshot } from '../policy/snapshot.js';
import { type CheckBody, parseCheckBody } from './check-schema.js';
import type { Question, Reading } from './evaluation.js';
import { readPolicy } from './read-policy.js';

/** Checks held at most. */
const MAX_HELD = 16_384;

/** Characters of the bodies of all that are held, at most; what they parse into takes several times that. */
const MAX_CHARACTERS = 4 * 1024 * 1024;

/** Longer bodies are not held, nor looked for: each would take the place of many. */
const MAX_LENGTH = 1_024;

/** Whoever has more roles is looked up each time: what is held is bounded by the length of bodies. */
const MAX_ROLES = 64;

/** Places for the marks of bodies that came once; a power of two. */
const MARKS = 32_768;

/**
 * Where there is no room, one of so many takes the place of the one that was not asked for longest: more
 * checks in turn than there is room for would else drive out each other, and none be there when it comes.
 */
const TURN_TO_REPLACE = 32;

/** What the policy said to a check: to be given again in that era, for that tenant. */
interface Said extends Pick<Reading, 'casbin' | 'roles'> {
  readonly era: number;
  readonly tenant: string;
}

/** A check as its body says it; all but that is for `RecentChecks` alone. */
export interface RecentCheck {
  readonly body: CheckBody;
  /** The body, by which it may be held; undefined once it is, and where it is too long. */
  text: string | undefined;
  /** What the policy said the last time; undefined before that, and where it takes too much room. */
  said: Said | undefined;
}

/**
 * Knows again the checks that come more than once: a body is the same check whoever sends it and
 * whenever, so that it need not be parsed again, nor asked of the policy again as long as that does not
 * change. Nothing else of a decision is held: who may ask, time, limits, approvals and the evidence are
 * taken each time. A body is held once somebody has asked it twice who may, as most are never seen again,
 * and to hold one costs more than to parse it.
 */
export class RecentChecks {
  readonly #held = new LRUCache<string, RecentCheck>({
    max: MAX_HELD,
    maxSize: MAX_CHARACTERS,
    sizeCalculation: (_check, text) => text.length,
  });
  readonly #marks = new Int32Array(MARKS);
  readonly #era = new PolicyEra();
  #withoutRoom = 0;

  /** How many checks are held. */
  get size(): number {
    return this.#held.size;
  }

  /** The check that the body of a request is. @throws InvalidRequest */
  asked(text: string): RecentCheck {
    const isShort = text.length <= MAX_LENGTH;
    const known = isShort ? this.#held.get(text) : undefined;
    if (known !== undefined) return known;
    const body = parseCheckBody(parsePlainObject(text));
    return { body, text: isShort ? text : undefined, said: undefined };
  }

  /**
   * What `readPolicy` gives for the question that a caller may make of a check from `asked`. Where it was
   * asked in the same tenant the last time, and the policy in force is the same still, without asking the
   * policy again.
   */
  read(check: RecentCheck, question: Question, policy: Snapshot): Reading {
    const era = this.#era.of(policy);
    const { tenant } = question.check;
    const { said } = check;
    // The tenant may be the credential's; all else that the policy is asked stands in the body.
    if (said !== undefined && said.era === era && said.tenant === tenant) {
      return { question, policy, casbin: said.casbin, roles: said.roles };
    }
    const reading = readPolicy(question, policy);
    const { casbin, roles } = reading;
    check.said = roles.length > MAX_ROLES ? undefined : { era, tenant, casbin, roles };
    this.#hold(check);
    return reading;
  }

  /** Holds it, if it came before and there is room. */
  #hold(check: RecentCheck): void {
    const { text } = check;
    if (text === undefined || !this.#cameBefore(text) || !this.#hasRoom()) return;
    check.text = undefined;
    this.#held.set(text, check);
  }

  /** Whether there is room for another, or it is time to make some. */
  #hasRoom(): boolean {
    const { size, calculatedSize } = this.#held;
    if (size < MAX_HELD && calculatedSize <= MAX_CHARACTERS - MAX_LENGTH) return true;
    this.#withoutRoom += 1;
    return this.#withoutRoom % TURN_TO_REPLACE === 0;
  }

  /** Whether it probably did, since others took its mark; notes that it comes now. */
  #cameBefore(text: string): boolean {
    const mark = fingerprint(text);
    const place = mark & (MARKS - 1);
    const other = this.#marks[place];
    if (other === mark) return true;
    // At random: of two that come in turn, each would else take the mark of the other for ever.
    if (other === 0 || Math.random() < 0.5) this.#marks[place] = mark;
    return false;
  }
}

/** Counts the policies that were in force: what was read in one era is good to its end. */
class PolicyEra {
  // Weakly, as one that is no longer in force may hold a million rules.
  #policy: WeakRef<Snapshot> | undefined;
  #number = 0;

  /** The number of the era in which this policy is in force. */
  of(policy: Snapshot): number {
    if (this.#policy?.deref() !== policy) {
      this.#policy = new WeakRef(policy);
      this.#number += 1;
    }
    return this.#number;
  }
}

/**
 * FNV-1a (32 bits) over the UTF-16 code units, four in each step, as a step waits for the one before. Who
 * finds two texts of the same has one of them held early.
 */
function fingerprint(text: string): number {
  let hash = 0x811c9dc5;
  let index = 0;
  for (; index + 4 <= text.length; index += 4) {
    const near = text.charCodeAt(index) ^ (text.charCodeAt(index + 1) << 8);
    const far = (text.charCodeAt(index + 2) << 16) ^ (text.charCodeAt(index + 3) << 24);
    hash = Math.imul(hash ^ near ^ far, 0x01000193);
  }
  for (; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash ^ (hash >>> 15);
}
