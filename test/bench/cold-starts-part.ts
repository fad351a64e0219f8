import { formatTable } from '../../localstack/cli/table.ts';
import type { Part } from './bench.ts';
import { measureColdStarts } from './cold-starts.ts';

export const coldStartsPart: Part = async ({ servers }) => {
  const coldStarts = await measureColdStarts(servers);
  console.log('\nCold start: a process each, from its start to its first answer (p50, ms):');
  console.log(
    formatTable(
      ['function', 'bundle KiB', 'Node', 'load', 'of it CPU', 'first answer', 'in all'],
      coldStarts.map(({ functionName, bundleKib, startMs, loadMs, loadCpuMs, answerMs }) => [
        functionName,
        ...[bundleKib, startMs, loadMs, loadCpuMs].map((figure) => figure.toFixed(0)),
        answerMs === null ? '–' : answerMs.toFixed(0),
        (startMs + loadMs + (answerMs ?? 0)).toFixed(0),
      ]),
    ),
  );
  return {};
};
