import { readFileSync } from 'node:fs';

/** The commands of one block, in their order. */
export interface CommandBlock {
  /** The heading that it stands under. */
  readonly heading: string;
  readonly commands: readonly string[];
}

/** The `curl` commands of the README's shell blocks, as they are written. */
export function readmeCurls(): CommandBlock[] {
  const text = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  return [...text.matchAll(/```bash\n([\s\S]*?)```/g)].flatMap(({ 1: block = '', index }) => {
    const commands = commandsOf(block).filter((command) => command.startsWith('curl '));
    const heading = [...text.slice(0, index).matchAll(/^##+ (.*)$/gm)].at(-1)?.[1] ?? '';
    return commands.length === 0 ? [] : [{ heading, commands }];
  });
}

/** A command goes on where its line ends in a backslash, or within quotes. */
function commandsOf(block: string): string[] {
  const commands: string[] = [];
  let open = '';
  for (const line of block.split('\n')) {
    open = open === '' ? line : `${open}\n${line}`;
    if (open.endsWith('\\') || isQuoteOpen(open)) continue;
    commands.push(open);
    open = '';
  }
  return commands;
}

function isQuoteOpen(text: string): boolean {
  let quote = '';
  for (let place = 0; place < text.length; place++) {
    const character = text[place]!;
    if (character === '\\' && quote !== "'") place++;
    else if (quote === character) quote = '';
    else if (quote === '' && (character === '"' || character === "'")) quote = character;
    else if (quote === '' && character === '#' && /\s/.test(text[place - 1] ?? ' ')) {
      place = text.indexOf('\n', place);
      if (place < 0) return false;
    }
  }
  return quote !== '';
}
