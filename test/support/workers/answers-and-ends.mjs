/** A worker that ends, in order, when it is told to. */
process.on('message', ({ kind }) => {
  if (kind === 'stop') process.exit(0);
});
process.send({ kind: 'answering', url: 'http://127.0.0.1:1' });
