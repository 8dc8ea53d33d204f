/** A worker that says why it cannot start. */
process.send({ kind: 'failing', reason: 'there is no policy' }, () => process.exit(1));
