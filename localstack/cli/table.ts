const MAX_WIDTH = 60;

/** Rows under their heads, each column as wide as its longest cell up to a limit. */
export function formatTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const cut = (cell: string) => (cell.length > MAX_WIDTH ? `${cell.slice(0, MAX_WIDTH - 1)}…` : cell);
  const lines = [heads, ...rows].map((row) => row.map(cut));
  const widths = heads.map((_, column) => Math.max(...lines.map((row) => row[column]?.length ?? 0)));
  const format = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  const [head = [], ...body] = lines;
  return [format(head), widths.map((width) => '─'.repeat(width)).join('  '), ...body.map(format)].join('\n');
}
