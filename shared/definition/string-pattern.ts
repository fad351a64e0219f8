/**
 * Compiles a pattern in which `*` stands for any text, `\*` for an asterisk and `\\` for a backslash. Matching takes time linear in
 * the text, whatever the pattern. Null where a backslash stands before anything else.
 */
export function compilePattern(pattern: string): ((text: string) => boolean) | null {
  const pieces = piecesOf(pattern);
  if (pieces === null) return null;
  const [first = '', ...others] = pieces;
  const last = others.pop();
  if (last === undefined) return (text) => text === first;
  const finders = others.filter((piece) => piece !== '').map(createFinder);
  const fixedLength = first.length + last.length;
  return (text) => {
    if (text.length < fixedLength || !text.startsWith(first) || !text.endsWith(last)) return false;
    const end = text.length - last.length;
    let at = first.length;
    // The earliest place of each piece leaves the most room for those behind it.
    for (const find of finders) {
      at = find(text, at, end);
      if (at === -1) return false;
    }
    return true;
  };
}

/** The literal texts between the asterisks. */
function piecesOf(pattern: string): string[] | null {
  const pieces: string[] = [];
  let piece = '';
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern[i]!;
    if (character === '*') {
      pieces.push(piece);
      piece = '';
    } else if (character === '\\') {
      const escaped = pattern[++i];
      if (escaped !== '*' && escaped !== '\\') return null;
      piece += escaped;
    } else {
      piece += character;
    }
  }
  return [...pieces, piece];
}

/** Where the first `piece` in text[from, end) ends, or -1 (Knuth, Morris and Pratt: `indexOf` can take the product of both lengths). */
function createFinder(piece: string): (text: string, from: number, end: number) => number {
  const borders = new Uint32Array(piece.length);
  for (let i = 1, border = 0; i < piece.length; i++) {
    while (border > 0 && piece[i] !== piece[border]) border = borders[border - 1]!;
    if (piece[i] === piece[border]) border++;
    borders[i] = border;
  }
  return (text, from, end) => {
    for (let i = from, matched = 0; i < end; i++) {
      while (matched > 0 && text[i] !== piece[matched]) matched = borders[matched - 1]!;
      if (text[i] === piece[matched]) matched++;
      if (matched === piece.length) return i + 1;
    }
    return -1;
  };
}
