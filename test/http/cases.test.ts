import assert from 'node:assert/strict';
import { sql } from 'kysely';
import { askedBefore, assertAnswer, bundleOf, caseFiles, momentOf } from '../support/cases.js';
import { type EngineKind, ENGINES } from '../support/engines.js';
import { type TestServer, testServer } from '../support/server.js';

for (const kind of ENGINES) {
  describe(`the decision matrix, asked over HTTP of a server with the ${kind.name} engine`, () => {
    let server: TestServer;
    let engines = 0;
    before(async () => {
      const buildEngine: EngineKind['begin'] = (model) => {
        engines += 1;
        return kind.begin(model);
      };
      server = await testServer({}, { buildEngine });
    });
    after(() => server.close());

    it(`is decided by the ${kind.name} engine`, () => {
      assert.ok(engines > 0, 'the server built another one');
    });

    for (const file of caseFiles()) {
      describe(file.file, () => {
        before(async () => {
          const files = Object.fromEntries(await bundleOf(file));
          const applied = await server.call('POST', '/v1/bundles', { body: { files } });
          assert.ok([200, 201].includes(applied.status), applied.text);
          // Quotas go by tenant, rule and key: files of the matrix share those.
          await sql`DELETE FROM limit_counters`.execute(server.database.database);
        });

        for (const test of file.tests) {
          it(test.name, async () => {
            server.now = momentOf(file, test);
            const ask = (body: object) => server.call('POST', '/check', { body });
            for (const check of askedBefore(test)) await ask(check);
            const answer = await ask(test.check);
            assert.equal(answer.status, 200, answer.text);
            assertAnswer(answer.body, test);
          });
        }
      });
    }
  });
}
