import { describe, expect, it } from 'vitest';
import { storableFailure, storableText } from '../../../shared/engine/storable-text.ts';

describe('storableText', () => {
  it.each([
    ['short enough', 'abc', 3, 'abc'],
    ['too long', 'abcd', 3, 'abc'],
    ['a pair at the cut', 'ab😀', 3, 'ab'],
    ['a pair before the cut', 'a😀b', 3, 'a😀'],
    ['a lone high surrogate at the cut', 'ab\ud83d', 3, 'ab\ufffd'],
    ['lone surrogates', 'a\ude00b\ud83d', 9, 'a\ufffdb\ufffd'],
    ['U+0000', 'a\u0000b', 9, 'a\ufffdb'],
    ['nothing allowed', 'abc', 0, ''],
    ['only half a pair allowed', '😀', 1, ''],
  ])('%s', (_, text, maxLength, expected) => {
    expect(storableText(text, maxLength)).toBe(expected);
  });

  it('never is half a character, wherever it is cut', () => {
    const text = '😀a'.repeat(50);
    for (let length = 0; length <= text.length; length++) {
      const cut = storableText(text, length);
      expect(cut.isWellFormed() && text.startsWith(cut) && cut.length >= length - 1).toBe(true);
    }
  });
});

it('a failure has a code that its column takes', () => {
  expect(storableFailure({ code: `${'x'.repeat(254)}😀`, message: '\ud83d' })).toEqual({
    code: 'x'.repeat(254),
    message: '\ufffd',
  });
});
