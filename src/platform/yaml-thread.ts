import { Worker } from 'node:worker_threads';
import { takeTurns, type Work } from './turns.js';
import { type EventsReading, readEvents } from './yaml-events.js';

/** UTF-16 code units from which on another thread reads a text, where other work waits for this one. */
const LONG = 128 * 1024;

/** UTF-16 code units that are handed over at a time. */
const PIECE = 1024 * 1024;

/**
 * `readEvents` as a part of long work. The parser cannot pause, and a text may be one list from its
 * first character to its last: a long one is read in another thread.
 */
export function* readingEvents(text: string): Work<EventsReading> {
  if (text.length < LONG) return readEvents(text);
  let reading: EventsReading | undefined;
  yield {
    here: () => void (reading = readEvents(text)),
    elsewhere: async () => void (reading = await readInThread(text)),
  };
  if (reading === undefined) throw new TypeError('the work went on without what it waits for');
  return reading;
}

/**
 * Reads the events of a text in a thread of their own.
 *
 * @throws where the thread ends before it is done, as when the text takes more memory than there is
 */
async function readInThread(text: string): Promise<EventsReading> {
  // As TypeScript in development.
  const entry = import.meta.url.replace(/yaml-thread\.(?=[jt]s$)/, 'yaml-thread-entry.');
  const thread = new Worker(new URL(entry), { name: 'yaml', workerData: text.length });
  const read = new Promise<EventsReading>((resolve, reject) => {
    thread.once('message', resolve);
    thread.once('error', reject);
    thread.once('exit', () => reject(new Error('the thread that read a YAML text was ended')));
  });
  try {
    return await Promise.all([read, handOver(text, thread)]).then(([reading]) => reading);
  } finally {
    await thread.terminate();
  }
}

async function handOver(text: string, thread: Worker): Promise<void> {
  const turns = takeTurns();
  for (let start = 0; start < text.length; start += PIECE) {
    thread.postMessage(text.slice(start, start + PIECE), []);
    if (turns.isOver()) await turns.next();
  }
}
