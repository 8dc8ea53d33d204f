import { resourceKey, subjectKey, type Check } from '../../vocabulary.js';
import type { ModelDefinitions } from '../definitions.js';
import { valueAt } from '../request-token.js';

/** Reads what fills a token from a check; undefined where it is absent. */
type Reader = (check: Check) => unknown;

/** Paths of nearly every model, read without looking each name up. */
const COMMON: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['subject.key', ({ subject }) => subjectKey(subject)],
  ['tenant', ({ tenant }) => tenant],
  ['resource.key', ({ resource }) => resourceKey(resource)],
  ['action.name', ({ action }) => action.name],
]);

/** What reads each token of a model's requests, in the order of their definition. */
export function requestReaders({
  requestTokens,
}: Pick<ModelDefinitions, 'requestTokens'>): readonly Reader[] {
  return [...requestTokens.values()].map(
    ({ path }) => COMMON.get(path.join('.')) ?? ((check: Check) => valueAt(path, check)),
  );
}
