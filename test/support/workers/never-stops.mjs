/** A worker that answers, they say, and never ends. */
process.on('message', () => undefined);
process.send({ kind: 'answering', url: 'http://127.0.0.1:1' });
