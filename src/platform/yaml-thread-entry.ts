import { parentPort, workerData } from 'node:worker_threads';
import { stepBack } from './step-back.js';
import { type EventsReading, readEvents } from './yaml-events.js';

/** Reads the text that it is handed piece by piece, and says what it came to. */
stepBack();
const length = workerData as number;
let text = '';
parentPort?.on('message', (piece: string) => {
  text += piece;
  if (text.length < length) return;
  const reading: EventsReading = readEvents(text);
  parentPort?.postMessage(reading, 'events' in reading ? [reading.events.buffer] : []);
});
