import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { later } from '../../src/platform/later.js';
import { endTogether, type LargeWork, workAlone, workTogether } from '../../src/http/together.js';

/** More than leave at once. */
const MANY = 100;

describe('answers that leave together', () => {
  let server: Server;
  let port: number;
  /** Runs for each request before its answer is given away. */
  let arrive: (url: string, socket: Socket) => void;

  before(async () => {
    server = createServer((request, response) => {
      const url = request.url ?? '';
      arrive(url, request.socket);
      response.writeHead(200, { 'Content-Length': String(url.length) });
      endTogether(response, url, 'latin1');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
  });
  beforeEach(() => {
    arrive = () => {};
  });
  after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  /** All as long as one another, so that half of one is none. */
  const urls = (from: number, count: number): string[] =>
    Array.from({ length: count }, (_, at) => `/${from + at}`);
  const requests = (from: number, count: number): string =>
    urls(from, count)
      .map((url) => `GET ${url} HTTP/1.1\r\nHost: x\r\n\r\n`)
      .join('');
  /** The bodies of as many answers, or of those that came before the connection ended. */
  const ask = (text: string, count: number): Promise<string[]> =>
    new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1');
      let heard = '';
      const bodies = (): string[] => heard.match(/(?<=\r\n\r\n)\/\d{3}/g) ?? [];
      socket.on('data', (chunk) => {
        heard += chunk.toString('latin1');
        if (bodies().length === count) socket.destroy();
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(bodies()));
      socket.write(text);
    });

  it('are each complete, and in order on a connection that asks for many at once', async () => {
    assert.deepEqual(await ask(requests(100, MANY), MANY), urls(100, MANY));
  });

  it('reach each its own connection', async () => {
    const all = urls(100, MANY).map((_, at) => ask(requests(100 + at, 1), 1));
    assert.deepEqual((await Promise.all(all)).flat(), urls(100, MANY));
  });

  it('do without those whose caller has gone, and harm no other', async () => {
    arrive = (url, socket) => {
      if (url === '/101') socket.destroy();
    };
    const both = await Promise.all([ask(requests(101, 1), 1), ask(requests(102, 1), 1)]);
    assert.deepEqual(both, [[], ['/102']]);
  });
});

/** Resolves once a turn, with what is due in it, is over. */
const afterTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('work that is done together', () => {
  it('waits until all that arrived was read, and is done in its order', async () => {
    const done: number[] = [];
    for (const each of [1, 2, 3]) workTogether(() => done.push(each));
    assert.deepEqual(done, []);
    await afterTurn();
    assert.deepEqual(done, [1, 2, 3]);
  });

  it('is done at once where much of it has arrived', async () => {
    const done: number[] = [];
    for (let each = 0; each < 40; each += 1) workTogether(() => done.push(each));
    assert.equal(done.length, 32);
    await afterTurn();
    assert.deepEqual(done, [...Array(40).keys()]);
  });

  it('goes on where some of it throws', async () => {
    const done: number[] = [];
    workTogether(() => {
      throw new Error('not foreseen');
    });
    const rest = Array.from({ length: 31 }, (_, at) => at);
    assert.throws(() => {
      for (const each of rest) workTogether(() => done.push(each));
    }, /not foreseen/);
    await afterTurn();
    assert.deepEqual(done, rest);
  });

  it('may bring more work, which is done in a later turn', async () => {
    const done: string[] = [];
    workTogether(() => {
      done.push('first');
      workTogether(() => done.push('second'));
    });
    await afterTurn();
    assert.deepEqual(done, ['first']);
    await afterTurn();
    assert.deepEqual(done, ['first', 'second']);
  });
});

describe('work that is done alone', () => {
  const done: string[] = [];
  const MEGABYTE = 1024 * 1024;
  /** A request that is done when it has said its name. */
  const large = (name: string, terms: Partial<LargeWork> = {}): LargeWork => ({
    size: 1,
    room: () => undefined,
    isWanted: () => true,
    work: () => void done.push(name),
    ...terms,
  });
  beforeEach(() => {
    done.length = 0;
  });

  it('has a turn of its own, in its order, what came of the one before it included', async () => {
    for (const each of ['first', 'second', 'third']) {
      const work = (): void => {
        done.push(each);
        void Promise.resolve().then(() => done.push(`after ${each}`));
      };
      assert.equal(workAlone(large(each, { work })), true);
    }
    assert.deepEqual(done, []);
    for (const expected of [2, 4, 6]) {
      await afterTurn();
      assert.equal(done.length, expected);
    }
    const wanted = ['first', 'second', 'third'].flatMap((each) => [each, `after ${each}`]);
    assert.deepEqual(done, wanted);
  });

  it('waits for room, and what comes behind it too; small work does not', async () => {
    const made = later<void>();
    workAlone(large('large', { room: () => made.promise }));
    workAlone(large('behind it'));
    await afterTurn();
    workTogether(() => done.push('small'));
    await afterTurn();
    assert.deepEqual(done, ['small']);
    made.resolve();
    for (let turn = 0; turn < 3; turn += 1) await afterTurn();
    assert.deepEqual(done, ['small', 'large', 'behind it']);
  });

  it('waits once only, whoever has taken the room meanwhile, and where there comes to be none', async () => {
    let asked = 0;
    const room = async (): Promise<void> => {
      asked += 1;
      if (asked === 2) throw new Error('no room');
    };
    workAlone(large('first', { room }));
    workAlone(large('second', { room }));
    for (let turn = 0; turn < 6; turn += 1) await afterTurn();
    assert.deepEqual([asked, done], [2, ['first', 'second']]);
  });

  it('is forgotten, and needs no room, where nobody wants it any more', async () => {
    const made = later<void>();
    let gone = false;
    workAlone(large('waits', { room: () => made.promise }));
    const isWanted = () => !gone;
    workAlone(large('gone', { isWanted, room: () => assert.fail('asked for room') }));
    workAlone(large('stays'));
    await afterTurn();
    gone = true;
    made.resolve();
    for (let turn = 0; turn < 4; turn += 1) await afterTurn();
    assert.deepEqual(done, ['waits', 'stays']);
  });

  it('is refused where too much waits, until that is done or its callers have gone', async () => {
    const made = later<void>();
    let gone = false;
    workAlone(large('waits', { room: () => made.promise, size: 0 }));
    for (let count = 0; count < 64; count += 1) {
      const isWanted = () => !gone;
      assert.equal(workAlone(large(`${count}`, { size: MEGABYTE, isWanted })), true);
    }
    assert.equal(workAlone(large('too much')), false);
    gone = true;
    assert.equal(workAlone(large('fits')), true);
    made.resolve();
    for (let turn = 0; turn < 4; turn += 1) await afterTurn();
    assert.deepEqual(done, ['waits', 'fits']);
  });
});
