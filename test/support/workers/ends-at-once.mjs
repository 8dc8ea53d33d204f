/** A worker that never comes to answer. */
process.exit(3);
