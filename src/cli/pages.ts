import type { Static, TSchema } from '@sinclair/typebox';
import type { ApiClient } from './api-client.js';
import { page } from './answers.js';

/** The most that a list gives at once. */
const LIMIT = 200;

/** Every item of a list, page by page; `path` may have a query. */
export async function allItems<Item extends TSchema>(
  client: ApiClient,
  path: string,
  item: Item,
): Promise<Static<Item>[]> {
  const items: Static<Item>[] = [];
  const answer = page(item);
  let after: string | number | null = null;
  do {
    const query: string = after === null ? '' : `&after=${encodeURIComponent(after)}`;
    const join = path.includes('?') ? '&' : '?';
    const found: Static<typeof answer> = await client.call(
      'GET',
      `${path}${join}limit=${LIMIT}${query}`,
      answer,
    );
    items.push(...found.items);
    after = found.next;
  } while (after !== null);
  return items;
}
