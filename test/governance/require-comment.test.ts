import assert from 'node:assert/strict';
import { commentFault } from '../../src/governance/require-comment.js';
import { compilePattern } from '../../src/governance/linear-regex.js';
import type { CommentTerms } from '../../src/governance/governance-rule.js';

function terms(minLength: number, source?: string): CommentTerms {
  if (source === undefined) return { minLength };
  const pattern = compilePattern(source);
  assert.ok(!('fault' in pattern));
  return { minLength, pattern };
}

describe('required comments', () => {
  it('are missing, empty, too short or fine', () => {
    assert.equal(commentFault(terms(1), undefined), '`context.comment` is missing');
    assert.equal(commentFault(terms(1), null), '`context.comment` is missing');
    assert.equal(commentFault(terms(1), ' \n\t'), '`context.comment` is empty');
    assert.match(commentFault(terms(5), '  four ') ?? '', /at least 5 characters, not 4/);
    assert.equal(commentFault(terms(4), '  four '), undefined);
  });

  it('must be texts', () => {
    for (const comment of [1, true, ['CHG-1'], { text: 'CHG-1' }]) {
      assert.equal(commentFault(terms(1), comment), '`context.comment` must be a text');
    }
  });

  it('are measured in characters, not in code units', () => {
    assert.equal(commentFault(terms(3), '👍👍👍'), undefined);
    assert.match(commentFault(terms(4), '👍👍👍') ?? '', /not 3/);
    assert.match(commentFault(terms(4), 'a👍b') ?? '', /not 3/);
    assert.equal(commentFault(terms(2), '👍👍'), undefined);
    assert.match(commentFault(terms(2), '👍') ?? '', /not 1/);
    assert.equal(commentFault(terms(2), 'abcd'), undefined);
  });

  it('may match the pattern anywhere', () => {
    assert.equal(commentFault(terms(1, 'CHG-[0-9]+'), 'see CHG-12, please'), undefined);
    assert.match(
      commentFault(terms(1, 'CHG-[0-9]+'), 'chg-12') ?? '',
      /must match `CHG-\[0-9\]\+`/,
    );
    assert.equal(
      commentFault(terms(1, '^CHG'), '  CHG'),
      undefined,
      'trimmed before it is matched',
    );
  });

  it('cannot make a pattern run for long', () => {
    const start = performance.now();
    assert.ok(commentFault(terms(1, '(a+)+$'), `${'a'.repeat(9_000)}b`));
    assert.ok(performance.now() - start < 2_000);
    assert.match(commentFault(terms(1), 'a'.repeat(10_001)) ?? '', /over 10000 characters/);
  });
});
