import assert from 'node:assert/strict';
import { commitChange } from '../../src/platform/change-log.js';
import { listenForChanges } from '../../src/platform/change-listener.js';
import { keepListening, type StopListening } from '../../src/platform/keep-listening.js';
import { type TestDatabase, testDatabase } from '../support/database.js';
import { postgresProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

describe('listening for changes', () => {
  let db: TestDatabase;
  let proxy: TcpProxy;
  let stop: StopListening;
  const told: (number | undefined)[] = [];
  let wake = () => {};
  const log = { warn() {}, info() {} };

  /** Resolves once the listener was told of `revision`, or of a new beginning. */
  const toldOf = async (revision: number | undefined): Promise<void> => {
    while (!told.includes(revision)) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const change = async (): Promise<number> => {
    const write = async () => ({ change: { kind: 'test', actor: 'root' }, result: undefined });
    return (await commitChange(db.database, write)).revision;
  };

  before(async () => {
    db = await testDatabase();
    const proxied = await postgresProxy(db.url);
    proxy = proxied.proxy;
    stop = await listenForChanges({
      url: proxied.url,
      log,
      onMessage: (text) => {
        told.push(Number(text));
        wake();
      },
      onOpen: () => {
        told.push(undefined);
        wake();
      },
    });
  });
  after(async () => {
    await stop();
    await proxy.cut();
    await db.close();
  });

  it('begins by saying that something may have been missed', () => {
    assert.deepEqual(told, [undefined]);
  });

  it('tells the revision of a change once it is committed', async () => {
    await toldOf(await change());
  });

  it('tells nothing of what was not committed', async () => {
    const before = told.length;
    await assert.rejects(
      commitChange(db.database, async () => {
        throw new Error('no');
      }),
    );
    await commitChange(db.database, async () => ({ unchanged: undefined }));
    const next = await change();
    await toldOf(next);
    assert.deepEqual(told.slice(before), [next]);
  });

  it('connects again when the connection was lost, and says so', async () => {
    told.length = 0;
    await proxy.cut();
    await change();
    await proxy.mend();
    await toldOf(undefined);
    await toldOf(await change());
  });

  it('notices a connection that went silent, and connects again', async () => {
    const { proxy: silent, url } = await postgresProxy(db.url);
    const said: string[] = [];
    const opened: number[] = [];
    const stopOther = await listenForChanges({
      url,
      silence: 20,
      log: { warn: () => said.push('away'), info: () => said.push('back') },
      onMessage() {},
      onOpen: () => opened.push(said.length),
    });
    silent.stall();
    await until(
      async () => said,
      ([word]) => word === 'away',
    );
    await silent.mend();
    await until(
      async () => opened,
      ({ length }) => length === 2,
    );
    assert.deepEqual(said, ['away', 'back']);
    await stopOther();
    await silent.cut();
  });

  it('ends though the other side went silent', async () => {
    const { proxy: silent, url } = await postgresProxy(db.url);
    const stopOther = await listenForChanges({ url, log, onMessage() {}, onOpen() {} });
    silent.stall();
    await stopOther();
    await silent.cut();
  });

  it('tries again where a connection cannot even be thought of', async () => {
    const said: string[] = [];
    let attempts = 0;
    const stopOther = await keepListening(
      'test',
      (stopping, opened) => {
        attempts += 1;
        if (attempts === 1) throw new Error('no address');
        opened();
        return new Promise((resolve) => {
          stopping.addEventListener('abort', () => resolve(), { once: true });
        });
      },
      { onOpen: () => said.push('open'), log: { warn: () => said.push('away'), info() {} } },
    );
    await until(
      async () => said,
      ({ length }) => length === 2,
    );
    assert.deepEqual(said, ['away', 'open']);
    await stopOther();
  });

  it('does not wait for a database that is away', async () => {
    const stopOther = await listenForChanges({
      url: 'postgresql://postgres@127.0.0.1:1/none',
      log,
      onMessage: () => assert.fail('there is nothing to be told'),
      onOpen: () => assert.fail('there is nothing to listen to'),
    });
    await stopOther();
  });
});
