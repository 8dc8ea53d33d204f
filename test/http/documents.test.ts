import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { errorCatalog } from '../../scripts/error-catalog.js';
import { openApiText, problemCodesOf } from '../../scripts/openapi.js';
import { allRoutes } from '../../src/http/routes.js';
import type { Services } from '../../src/http/services.js';
import { stubServices } from '../support/stub-services.js';

const doc = (name: string): string =>
  readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

describe('docs/errors.md', () => {
  const documented = new Map(
    [...doc('errors.md').matchAll(/^\| `(\w+)` \| (\d{3}) \|/gm)].map(([, code, status]) => [
      code,
      Number(status),
    ]),
  );

  it('lists every code of src/errors.ts with its status, and no other', () => {
    const known = [...errorCatalog().values()].map(({ code, status }) => [code, status]);
    assert.ok(known.length > 15);
    assert.deepEqual([...documented].sort(), known.sort());
  });
});

describe('docs/openapi.yaml', () => {
  it('is what the routes say of themselves', () => {
    assert.equal(
      doc('openapi.yaml'),
      openApiText(),
      'docs/openapi.yaml is out of date; make it again with `npx tsx scripts/openapi.ts`',
    );
  });

  it('gives every operation a name of its own', () => {
    const names = [...doc('openapi.yaml').matchAll(/operationId: (\w+)/g)].map(([, name]) => name);
    assert.ok(names.length > 20);
    assert.equal(new Set(names).size, names.length);
  });

  it('names only codes that errors have', () => {
    const catalog = errorCatalog();
    const routes = allRoutes(stubServices() satisfies Services);
    assert.deepEqual(
      routes.flatMap(problemCodesOf).filter((code) => !catalog.has(code)),
      [],
    );
  });
});
