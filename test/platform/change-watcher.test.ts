import assert from 'node:assert/strict';
import { type Adapter, type Model, newEnforcer, newModelFromString } from 'casbin';
import { readMessage, writeMessage } from '../../src/platform/change-message.js';
import {
  type ChangeWatcher,
  type ChangeWatcherOptions,
  createChangeWatcher,
} from '../../src/platform/change-watcher.js';

/** A log of changes, and a process that reads it when the watcher says so. */
class Process {
  /** What is committed. */
  committed = 0;
  /** What this process has. */
  revision = 0;
  pulls = 0;
  atOnce = 0;
  mostAtOnce = 0;
  readonly counts: Record<string, number> = {};
  readonly sent: string[] = [];
  readonly watcher: ChangeWatcher;
  #failures = 0;

  constructor(others: Partial<ChangeWatcherOptions> = {}) {
    this.watcher = createChangeWatcher({
      revision: () => this.revision,
      latestRevision: async () => this.committed,
      publish: async (text) => void this.sent.push(text),
      counted: (_way, outcome) => {
        this.counts[outcome] = (this.counts[outcome] ?? 0) + 1;
      },
      origin: 'me',
      ...others,
    });
    this.watcher.setUpdateCallback(() => this.#pull());
  }

  hear(revision: number, origin = 'other'): void {
    this.watcher.heard('redis', writeMessage({ revision, origin }));
  }

  fail(times: number): void {
    this.#failures = times;
  }

  /** Resolves when this process has everything. */
  async current(): Promise<void> {
    while (this.revision < this.committed) await turn();
  }

  async #pull(): Promise<void> {
    this.pulls += 1;
    this.atOnce += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.atOnce);
    const read = this.committed;
    await turn();
    this.atOnce -= 1;
    if (this.#failures > 0) {
      this.#failures -= 1;
      throw new Error('the database is away');
    }
    this.revision = read;
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const turns = async (count: number) => {
  for (let index = 0; index < count; index += 1) await turn();
};

describe('the watcher of changes', () => {
  let me: Process;
  beforeEach(() => {
    me = new Process();
  });
  afterEach(() => me.watcher.close());

  it('has what it is told of read', async () => {
    me.committed = 1;
    me.hear(1);
    await me.current();
    assert.equal(me.pulls, 1);
  });

  it('reads once for a hundred messages of what is committed', async () => {
    me.committed = 100;
    for (let revision = 1; revision <= 100; revision += 1) me.hear(revision);
    await me.current();
    await turns(5);
    assert.equal(me.pulls, 1);
  });

  it('reads once more for all messages that come while it reads', async () => {
    me.committed = 1;
    me.hear(1);
    me.committed = 100;
    for (let revision = 2; revision <= 100; revision += 1) me.hear(revision);
    await me.current();
    await turns(5);
    assert.equal(me.pulls, 2);
  });

  it('never reads twice at a time', async () => {
    for (let revision = 1; revision <= 50; revision += 1) {
      me.committed = revision;
      me.hear(revision);
      me.watcher.opened();
      if (revision % 7 === 0) await turn();
    }
    await me.current();
    assert.equal(me.mostAtOnce, 1);
  });

  it('reads nothing for its own messages, whatever they say', async () => {
    await me.watcher.announce(7);
    for (const text of me.sent) me.watcher.heard('redis', text);
    await turns(5);
    assert.deepEqual([me.pulls, me.counts], [0, { own: 1 }]);
  });

  it('reads nothing for what it has: a message that comes by two ways is read for once', async () => {
    me.committed = 3;
    me.watcher.heard('postgres', '3');
    await me.current();
    me.hear(3);
    me.hear(2);
    await turns(5);
    assert.deepEqual([me.pulls, me.counts], [1, { new: 1, known: 2 }]);
  });

  it('reads nothing for what is no message', async () => {
    for (const text of ['', 'x', '{}', '{"revision":-1}', 'x'.repeat(1_000_000)]) {
      me.watcher.heard('redis', text);
    }
    await turns(5);
    assert.deepEqual([me.pulls, me.counts], [0, { malformed: 5 }]);
  });

  it('reads once for a revision that never comes, and hears of the next that does', async () => {
    me.hear(Number.MAX_SAFE_INTEGER);
    await turns(50);
    assert.equal(me.pulls, 1);
    me.committed = 1;
    me.hear(1);
    await me.current();
    assert.equal(me.revision, 1);
  });

  it('is not kept busy by lies: it rests after each that brought nothing', async () => {
    for (let count = 0; count < 1_000; count += 1) {
      me.hear(Number.MAX_SAFE_INTEGER);
      if (count % 10 === 0) await turn();
    }
    // A pull takes one turn here: there was time for a hundred, but for the rests.
    assert.ok(me.pulls <= 10, `${me.pulls} pulls`);
  });

  it('reads when a way was opened, for what was said before', async () => {
    me.committed = 5;
    me.watcher.opened();
    await me.current();
    assert.equal(me.pulls, 1);
  });

  it('reads again what could not be read', async () => {
    me.fail(2);
    me.committed = 4;
    me.hear(4);
    await me.current();
    assert.equal(me.pulls, 3);
  });

  it('tells others of a revision and of who it is, and of nothing more', async () => {
    assert.equal(await me.watcher.announce(9), true);
    assert.deepEqual(me.sent.map(readMessage), [{ revision: 9, origin: 'me' }]);
  });

  it('says whether others could be told, and never throws', async () => {
    const publish = async () => Promise.reject(new Error('Redis is away'));
    const away = new Process({ publish });
    assert.equal(await away.watcher.announce(1), false);
    assert.deepEqual(away.counts, { unsent: 1 });
    const latestRevision = async () => Promise.reject(new Error('Postgres is away'));
    assert.equal(await new Process({ latestRevision }).watcher.update(), false);
  });

  it('reads nothing once it is closed', async () => {
    await me.watcher.close();
    me.hear(1);
    me.watcher.opened();
    await turns(5);
    assert.equal(me.pulls, 0);
  });
});

const MODEL = `
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.sub == p.sub && r.obj == p.obj && r.act == p.act
`;

/** Loads in several steps, as a database does. */
class SlowAdapter implements Adapter {
  loads = 0;
  async loadPolicy(model: Model): Promise<void> {
    this.loads += 1;
    for (const subject of ['alice', 'bob', 'carol']) {
      await turn();
      model.model.get('p')?.get('p')?.policy.push([subject, 'document', 'read']);
    }
  }
  async savePolicy(): Promise<boolean> {
    return false;
  }
  async addPolicy(): Promise<void> {}
  async removePolicy(): Promise<void> {}
  async removeFilteredPolicy(): Promise<void> {}
}

describe("the watcher as node-casbin's", () => {
  const enforcerOn = (adapter: Adapter) => newEnforcer(newModelFromString(MODEL), adapter);

  it('shows the fault that it must keep out: loads at the same time double the rules', async () => {
    const enforcer = await enforcerOn(new SlowAdapter());
    await Promise.all([enforcer.loadPolicy(), enforcer.loadPolicy()]);
    assert.ok((await enforcer.getPolicy()).length > 3, 'node-casbin has mended this');
  });

  it('loads for messages of others one load at a time, and doubles no rule', async () => {
    const adapter = new SlowAdapter();
    const enforcer = await enforcerOn(adapter);
    const watcher = createChangeWatcher({ revision: () => 0, latestRevision: async () => 0 });
    enforcer.setWatcher(watcher);
    for (let revision = 1; revision <= 100; revision += 1) {
      watcher.heard('redis', writeMessage({ revision, origin: 'other' }));
      if (revision % 10 === 0) await turn();
    }
    await watcher.close();
    assert.equal((await enforcer.getPolicy()).length, 3);
    assert.ok(adapter.loads >= 2 && adapter.loads <= 5, `${adapter.loads} loads`);
  });

  it('tells others of a change by the enforcer, and does not load for it itself', async () => {
    const adapter = new SlowAdapter();
    const enforcer = await enforcerOn(adapter);
    const sent: string[] = [];
    const watcher = createChangeWatcher({
      revision: () => 0,
      latestRevision: async () => 12,
      publish: async (text) => {
        sent.push(text);
        watcher.heard('redis', text);
      },
      origin: 'me',
    });
    enforcer.setWatcher(watcher);
    await enforcer.addPolicy('dora', 'document', 'read');
    await turns(5);
    assert.deepEqual(sent.map(readMessage), [{ revision: 12, origin: 'me' }]);
    assert.equal(adapter.loads, 1);
    await watcher.close();
  });
});
