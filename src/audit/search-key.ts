/** The members of an event by which a batch may be found without reading its items. */
export type SearchMember = 'subject' | 'action' | 'decision';

/** Where each member starts, so that equal texts in different members differ. */
const STARTS: Readonly<Record<SearchMember, number>> = {
  subject: 0x811c9dc5,
  action: 0x01000193,
  decision: 0x5bd1e995,
};

/**
 * A number of 32 bits, signed, for a member's text: FNV-1a over its UTF-16 units. Two texts may share
 * one, so whatever is found by it must be looked at. Stored in `audit_events.keys`: it never changes.
 */
export function searchKey(member: SearchMember, text: string): number {
  let hash = STARTS[member];
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash | 0;
}
